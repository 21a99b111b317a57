"""Accounts in the administration."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db import transaction

from art32_platform.accounts.forms import AccountCreationForm
from art32_platform.accounts.links import ask_for, deliver_links
from art32_platform.accounts.models import Account, Purpose
from art32_platform.admin import EntityAdmin, site

if TYPE_CHECKING:
    from django.forms import ModelForm
    from django.http import HttpRequest

__all__ = ["AccountAdmin"]


@admin.register(Account, site=site)
class AccountAdmin(EntityAdmin, UserAdmin):
    """Who can log in, and what they are."""

    add_form = AccountCreationForm
    list_display = ("email", "name", "is_active", "is_staff", "is_administrator", "last_login")
    list_filter = ("is_active", "is_staff", "is_administrator")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Access", {"fields": ("is_active", "until", "is_staff", "is_administrator")}),
        ("Times (UTC)", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)

    def save_model(self, request: HttpRequest, obj: Account, form: ModelForm, change: bool) -> None:
        """Save it; a new account without a password is invited to choose one."""
        super().save_model(request, obj, form, change)
        if change or obj.has_usable_password():
            return
        if ask_for(obj, Purpose.INVITATION, by=cast("Account", request.user).email):
            transaction.on_commit(deliver_links)
            messages.info(request, f"A link to choose a password is on its way to {obj.email}.")
