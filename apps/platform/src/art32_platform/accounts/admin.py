"""Accounts in the administration."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from art32_platform.accounts.forms import AccountCreationForm
from art32_platform.accounts.models import Account
from art32_platform.admin import EntityAdmin, site

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
