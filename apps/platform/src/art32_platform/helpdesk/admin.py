"""Requests for help in the administration."""

from django.contrib import admin

from art32_platform.admin import EntityAdmin, site
from art32_platform.helpdesk.models import HelpRequest

__all__ = ["HelpRequestAdmin"]


@admin.register(HelpRequest, site=site)
class HelpRequestAdmin(EntityAdmin):
    """The team reads them and ticks off what is answered."""

    list_display = ("reference", "asked_at", "email", "page", "mailed_at", "answered")
    list_filter = ("answered",)
    search_fields = ("=reference", "email")
    readonly_fields = ("reference", "asked_at", "account", "email", "message", "page", "origin", "mailed_at")
    actions = None
