"""Forms about accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, AuthenticationForm

from art32_platform.accounts.models import Account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

__all__ = ["AccountCreationForm", "LoginForm", "typed_email"]


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


class AccountCreationForm(AdminUserCreationForm):
    """A new account in the administration."""

    class Meta:
        model = Account
        fields = ("email", "name")


def typed_email(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """The account that a login is for, in one form, so that no change of case starts the throttle's count anew."""
    typed = (credentials or {}).get("username") or (request.POST.get("username") if request else "")
    return str(typed or "").strip().lower()
