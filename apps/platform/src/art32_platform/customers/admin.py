"""Customers' data in the administration."""

from django.contrib import admin
from django.contrib.admin import RelatedOnlyFieldListFilter

from art32_platform.admin import EntityAdmin, site
from art32_platform.customers.models import Contact, Membership, Organisation

__all__ = ["ContactAdmin", "MembershipAdmin", "OrganisationAdmin"]

OWN_ORGANISATIONS = ("organisation", RelatedOnlyFieldListFilter)  # a filter is a list of names, too


@admin.register(Organisation, site=site)
class OrganisationAdmin(EntityAdmin):
    """Customers."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    view_on_site = False


@admin.register(Membership, site=site)
class MembershipAdmin(EntityAdmin):
    """Who may do what in which organisation."""

    list_display = ("account", "organisation", "role", "until")
    list_filter = (OWN_ORGANISATIONS, "role")
    search_fields = ("account__email", "organisation__name")


@admin.register(Contact, site=site)
class ContactAdmin(EntityAdmin):
    """Contact persons of the organisations in which one is a member."""

    list_display = ("name", "organisation", "position", "email", "phone", "is_primary")
    list_filter = (OWN_ORGANISATIONS,)
    search_fields = ("name", "email")
    view_on_site = False
