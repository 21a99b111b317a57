"""The administration's site, and what its pages have in common: every one asks the permission layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import BadRequest, ValidationError
from django.urls import URLResolver

from art32_platform.access import rules

if TYPE_CHECKING:
    from django import forms
    from django.db.models import ForeignKey, Model, QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

__all__ = ["EntityAdmin", "site"]

PAGES = {"index", "app_list", "jsi18n"}


class PlatformAdminSite(admin.AdminSite):
    """Django's administration without its own way in: people log in, and change their password, in one place."""

    site_header = "Administration"
    site_title = "Platform"
    index_title = "Administration"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """The pages that the platform uses; each has a policy."""
        return [url for url in super().get_urls() if isinstance(url, URLResolver) or url.name in PAGES]


site = PlatformAdminSite(name="admin")


class EntityAdmin(ModelAdmin):
    """Pages of one model; lists, records and choices hold what the account may see, and nothing else."""

    def get_urls(self) -> list[URLPattern]:
        """Django's pages, without those that nobody may use, and without the history: that is the activity log."""
        model = f"{self.opts.app_label}_{self.opts.model_name}"
        verbs = [verb for verb in ("add", "delete") if self._permission(verb) not in rules.RULES]
        dropped = {f"{model}_{page}" for page in ("history", *verbs)}
        return [url for url in super().get_urls() if url.name and url.name not in dropped]

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:  # noqa: ANN401
        """Do something with the chosen records; keys that are none are the sender's mistake, not the server's.

        Raises BadRequest for such keys.
        """
        try:
            return super().response_action(request, *args, **kwargs)
        except (ValueError, ValidationError) as error:
            raise BadRequest("The choice of records is malformed.") from error

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The records that the account may see."""
        return rules.allowed(request.user, self._permission("view"), super().get_queryset(request))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the account may see the record, or any."""
        return rules.may(request.user, self._permission("view"), obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the account may add a record anywhere."""
        return rules.may(request.user, self._permission("add"))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the account may change the record, or any."""
        return rules.may(request.user, self._permission("change"), obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the account may remove the record, or any."""
        return rules.may(request.user, self._permission("delete"), obj)

    def formfield_for_foreignkey(
        self,
        db_field: ForeignKey[Any, Any],
        request: HttpRequest,
        **kwargs: Any,  # noqa: ANN401 - Django's signature
    ) -> forms.ModelChoiceField | None:
        """Offer the organisations in which the account may add such a record, and what it may see of the rest."""
        model = db_field.remote_field.model
        label = model._meta.label_lower  # noqa: SLF001 - Django's documented interface
        need = self._permission("add") if label == "customers.organisation" else _to_see(model)
        kwargs["queryset"] = rules.allowed(request.user, need, model._default_manager.all())  # noqa: SLF001 - as above
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def log_addition(self, *_: Any) -> None:  # type: ignore[override] # noqa: ANN401
        """Leave it to the activity log, which nobody can change."""

    log_change = log_addition  # type: ignore[assignment]
    log_deletions = log_addition  # type: ignore[assignment]

    def _permission(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"


def _to_see(model: type[Model]) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"  # noqa: SLF001 - Django's documented interface
