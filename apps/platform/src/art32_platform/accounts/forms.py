"""Forms about accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, AuthenticationForm

from art32_platform.accounts.models import Account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

__all__ = [
    "WRONG_PASSWORD",
    "AccountCreationForm",
    "BackupCodeForm",
    "CodeForm",
    "ConfirmForm",
    "LoginForm",
    "PasswordForm",
    "ResetForm",
    "typed_email",
]

WRONG_PASSWORD = "password_incorrect"  # noqa: S105 - an error's code, which Django's form for a new password has, too
CODE = r"^\s*[0-9]{3}\s?[0-9]{3}\s*$"
BACKUP_CODE = r"^(?:[\s-]*[A-Za-z2-7]){24}[\s-]*$"


class LoginForm(AuthenticationForm):
    """E-mail address and password. One message for every kind of failure: it tells nobody which accounts exist."""

    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    error_messages = {
        "invalid_login": "This e-mail address and password do not belong together.",
        "inactive": "This e-mail address and password do not belong together.",
    }

    def clean_username(self) -> str:
        """The address as accounts keep it."""
        return str(self.cleaned_data["username"]).lower()


class CodeForm(forms.Form):
    """The code that an authenticator shows."""

    code = forms.RegexField(
        CODE,
        label="Code",
        help_text="Six digits.",
        error_messages={"invalid": "The code has six digits."},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )

    def clean_code(self) -> str:
        """The digits alone."""
        return "".join(str(self.cleaned_data["code"]).split())


class BackupCodeForm(forms.Form):
    """One of the codes that were written down."""

    backup = forms.RegexField(
        BACKUP_CODE,
        label="Backup code",
        max_length=60,
        help_text="24 letters and digits; each works once.",
        error_messages={"invalid": "A backup code has 24 letters and digits."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean_backup(self) -> str:
        """The letters and digits alone."""
        return "".join(str(self.cleaned_data["backup"]).replace("-", " ").split()).lower()


class ConfirmForm(forms.Form):
    """The password again, of whoever is logged in."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, account: Account, data: Any = None) -> None:  # noqa: ANN401 - as Django's form
        """A form for this account."""
        super().__init__(data)
        self.account = account

    def clean_password(self) -> str:
        """The password, if it is the account's."""
        password = str(self.cleaned_data["password"])
        if not self.account.check_password(password):
            raise forms.ValidationError("This is not your password.", code=WRONG_PASSWORD)
        return password


class PasswordForm(ConfirmForm, CodeForm):
    """The code of a new authenticator, with the password of whoever sets it up."""

    field_order = ("password", "code")

    def __init__(self, account: Account, data: Any = None) -> None:  # noqa: ANN401 - as Django's form
        """A form for this account."""
        super().__init__(account, data)
        self.fields["code"].widget.attrs.pop("autofocus")


class ResetForm(forms.Form):
    """Whose password is lost."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def clean_email(self) -> str:
        """The address as accounts keep it."""
        return str(self.cleaned_data["email"]).lower()


class AccountCreationForm(AdminUserCreationForm):
    """A new account in the administration."""

    class Meta:
        model = Account
        fields = ("email", "name")


def typed_email(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """The account that a login is for, in one form, so that no change of case starts the throttle's count anew."""
    typed = (credentials or {}).get("username") or (request.POST.get("username") if request else "")
    return str(typed or "").strip().lower()
