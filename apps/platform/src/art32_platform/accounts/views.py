"""Logging in and out, choosing a password, the second factor and one's sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import django_otp
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_lockout_response
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.db import transaction
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy

from art32_platform.accounts import links, second_factor, sessions
from art32_platform.accounts.forms import (
    WRONG_PASSWORD,
    BackupCodeForm,
    CodeForm,
    ConfirmForm,
    LoginForm,
    PasswordForm,
    ResetForm,
    typed_email,
)
from art32_platform.accounts.models import Account, Purpose
from art32_platform.accounts.throttle import is_shut_out
from art32_platform.activity.attribution import acting_as
from art32_platform.client import address

if TYPE_CHECKING:
    from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    from art32_platform.accounts.models import Authenticator

__all__ = [
    "Login",
    "Logout",
    "Password",
    "backup_codes",
    "link",
    "link_password",
    "login_code",
    "reset",
    "second_factor_set",
    "security",
]

BACKEND = "art32_platform.accounts.backend.Backend"
CODES_PAGE = "accounts/codes.html"
LINK = "link"
WRONG_BACKUP_CODE = "This backup code is not right, or was used before."
WRONG_CODE = "This code is not right, or was used before. Take the one that the application shows now."


class Login(LoginView):
    """The one way in, for members, staff and administrators alike."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - Django's signature
        """Look at the password, unless there was too much guessing."""
        if is_shut_out(typed_email(request), address(request)):
            return render(request, settings.AXES_LOCKOUT_TEMPLATE, status=settings.AXES_HTTP_RESPONSE_CODE)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log in, or ask for the code first."""
        account = form.get_user()
        if account.needs_second_factor or second_factor.device_of(account):
            second_factor.wait_for_code(self.request, account, self.get_success_url())
            return redirect("login-code")
        return super().form_valid(form)


class Logout(LogoutView):
    """End the session, here and in what the browser still holds of it."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - Django's signature
        """Do it."""
        response = super().post(request, *args, **kwargs)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


def login_code(request: HttpRequest) -> HttpResponseBase:
    """The second step of a login: a code, or the set-up of what makes codes for whoever has nothing yet."""
    waiting = second_factor.pending(request)
    if waiting is None:
        messages.info(request, "Please log in again.")
        return redirect("login")
    account, credentials = waiting.account, {"username": waiting.account.email}
    instead = not waiting.key and "backup" in request.POST
    form: Any = CodeForm(None if instead else request.POST or None)
    backup_form: Any = BackupCodeForm(request.POST if instead else None)
    if request.method == "POST":
        if not AxesProxyHandler.is_allowed(request, credentials):
            return get_lockout_response(request, credentials=credentials)
        with acting_as(account.email, address(request)):  # the password was right
            device = _by_backup_code(account, backup_form) if instead else _by_code(account, waiting.key, form)
            codes = second_factor.new_codes(account) if device and waiting.key else []
        if device:
            request.session.pop(second_factor.PENDING)
            login(request, account, backend=BACKEND)
            django_otp.login(request, device)
            if codes:
                return render(request, CODES_PAGE, {"codes": codes, "target": waiting.target})
            if instead:
                left = second_factor.codes_left(account)
                messages.info(
                    request, f"You used a backup code; {left} are left. Is your authenticator lost? Replace it."
                )
                return redirect("security")
            return redirect(waiting.target)
        user_login_failed.send(__name__, credentials=credentials, request=request)
        if backup_form.is_valid():
            backup_form.add_error("backup", WRONG_BACKUP_CODE)
        elif form.is_valid():
            form.add_error("code", WRONG_CODE)
    context: dict[str, Any] = {"form": form, "backup_form": backup_form}
    if waiting.key:
        context |= {"picture": second_factor.picture(account, waiting.key), "key": second_factor.readable(waiting.key)}
    return render(request, "accounts/code.html", context)


def second_factor_set(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator, or another one, while logged in; asks for the password again."""
    account = cast("Account", request.user)  # the gate lets nobody else here
    key = second_factor.set_up_key(request)
    form = PasswordForm(account, request.POST or None)
    if request.method == "POST" and (refusal := _refusal(request, account)):
        return refusal
    if request.method == "POST" and _is_confirmed(request, form):
        device = second_factor.enrol(account, key, form.cleaned_data["code"])
        if device:
            del request.session["key"]
            django_otp.login(request, device)
            sessions.end_others(account, request.session.session_key)
            messages.success(request, "Your authenticator is set up. Other devices have been logged out.")
            codes = second_factor.new_codes(account)  # shown in the answer itself: they are kept nowhere
            return render(request, CODES_PAGE, {"codes": codes, "target": reverse("security")})
        form.add_error("code", WRONG_CODE)
    context = {"form": form, "picture": second_factor.picture(account, key), "key": second_factor.readable(key)}
    return render(request, "accounts/second_factor.html", context)


def backup_codes(request: HttpRequest) -> HttpResponse:
    """Make new backup codes, which end those before; asks for the password again."""
    account = cast("Account", request.user)  # as above
    if second_factor.device_of(account) is None:
        messages.info(request, "Backup codes stand in for an authenticator; set that up first.")
        return redirect("second-factor")
    form = ConfirmForm(account, request.POST or None)
    context: dict[str, Any] = {"form": form, "left": second_factor.codes_left(account)}
    if request.method == "POST" and (refusal := _refusal(request, account)):
        return refusal
    if request.method == "POST" and _is_confirmed(request, form):
        context = {"codes": second_factor.new_codes(account), "target": reverse("security")}
    return render(request, CODES_PAGE, context)


class Password(PasswordChangeView):
    """Change one's own password; every other session of the account ends with it."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("security")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - Django's signature
        """Look at the old password, unless there was too much guessing."""
        account = cast("Account", request.user)  # as above
        return _refusal(request, account) or super().post(request, *args, **kwargs)

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        """Count a wrong password like one at the login."""
        _is_confirmed(self.request, form)
        return super().form_invalid(form)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Save it, end what the old one opened, and say so."""
        account = form.save()
        links.use_up(account)
        update_session_auth_hash(self.request, account)
        sessions.end_others(account, self.request.session.session_key)
        messages.success(self.request, "Your password is changed. Other devices have been logged out.")
        return redirect(self.get_success_url())


def security(request: HttpRequest) -> HttpResponse:
    """One's own password, second factor and sessions; a session can be ended here."""
    account = cast("Account", request.user)  # as above
    here = request.session.session_key
    if request.method == "POST":
        wanted = request.POST.get("session", "")
        ended = sessions.end_others(account, here) if wanted == "others" else sessions.end(account, wanted)
        messages.success(request, "Logged out there." if ended else "That session had already ended.")
        return redirect("login" if wanted == sessions.public_name(here or "") else "security")
    rows = [
        {"session": row, "name": sessions.public_name(row.session_key), "here": row.session_key == here}
        for row in sessions.sessions_of(account)
    ]
    context = {
        "rows": rows,
        "device": second_factor.device_of(account),
        "left": second_factor.codes_left(account),
        "required": account.needs_second_factor,
    }
    return render(request, "accounts/security.html", context)


def reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link to choose a new password. The answer is the same whether there is such an account or not."""
    form = ResetForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/reset.html", {"form": form})
    account = Account.objects.filter(email=form.cleaned_data["email"]).first()
    if account and account.may_log_in:
        purpose = Purpose.RESET if account.has_usable_password() else Purpose.INVITATION
        if links.ask_for(account, purpose, by=f"reset from {address(request)}"):
            transaction.on_commit(links.deliver_links)
    return render(request, "accounts/reset_sent.html")


def link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the token out of the address, where histories and logs would keep it, before the form is shown."""
    if links.find(token) is None:
        return render(request, "accounts/link_ended.html", status=410)
    request.session.flush()
    request.session[LINK] = token
    return redirect("link-password")


def link_password(request: HttpRequest) -> HttpResponse:
    """Choose a password with the link that was just opened; every session and link of the account ends with it."""
    found = links.find(request.session.get(LINK, ""))
    if found is None:
        return render(request, "accounts/link_ended.html", status=410)
    account = found.account
    form = SetPasswordForm(account, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with acting_as(account.email, address(request)):
            form.save()
            links.use_up(account)
            sessions.end_others(account, None)
        request.session.flush()
        messages.success(request, "Your password is set. Please log in with it.")
        return redirect(reverse("login"))
    return render(request, "accounts/link_password.html", {"form": form, "account": account})


def _refusal(request: HttpRequest, account: Account) -> HttpResponse | None:
    """The answer to somebody who is logged in and guessed the own password too often; whose session may be stolen."""
    credentials = {"username": account.email}
    if is_shut_out(account.email, address(request)):
        return render(request, settings.AXES_LOCKOUT_TEMPLATE, status=settings.AXES_HTTP_RESPONSE_CODE)
    if AxesProxyHandler.is_allowed(request, credentials):
        return None
    return get_lockout_response(request, credentials=credentials)


def _is_confirmed(request: HttpRequest, form: ConfirmForm | PasswordChangeForm) -> bool:
    """Whether a form with the own password is right; a wrong password counts like one at the login."""
    if form.is_valid():
        return True
    if any(form.has_error(name, WRONG_PASSWORD) for name in ("password", "old_password") if name in form.fields):
        credentials = {"username": cast("Account", request.user).email}
        user_login_failed.send(__name__, credentials=credentials, request=request)
    return False


def _by_code(account: Account, key: str, form: CodeForm) -> Authenticator | None:
    if not form.is_valid():
        return None
    code = form.cleaned_data["code"]
    if key:
        return second_factor.enrol(account, key, code)
    device = second_factor.device_of(account)
    return device if device and device.verify_token(code) else None


def _by_backup_code(account: Account, form: BackupCodeForm) -> Authenticator | None:
    if form.is_valid() and second_factor.use_code(account, form.cleaned_data["backup"]):
        return second_factor.device_of(account)
    return None
