"""Logging in and changing one's password; logging out is Django's own view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.urls import reverse_lazy

from art32_platform.accounts.forms import LoginForm

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm
    from django.http import HttpResponse

__all__ = ["Login", "Password"]


class Login(LoginView):
    """The one way in, for members, staff and administrators alike."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


class Password(PasswordChangeView):
    """Change one's own password; every other session of the account ends with it."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Save it and say so."""
        messages.success(self.request, "Your password is changed. Other devices have been logged out.")
        return super().form_valid(form)
