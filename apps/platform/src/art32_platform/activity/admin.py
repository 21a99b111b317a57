"""The activity log in the administration: to be read."""

from django.contrib import admin

from art32_platform.activity.models import Activity
from art32_platform.admin import EntityAdmin, site

__all__ = ["ActivityAdmin"]


@admin.register(Activity, site=site)
class ActivityAdmin(EntityAdmin):
    """Administrators read it all, managers among the staff that of their organisations."""

    list_display = ("at", "account", "action", "kind", "record", "origin")
    list_filter = ("action",)
    search_fields = ("=account", "=record", "=kind")
    actions = None
