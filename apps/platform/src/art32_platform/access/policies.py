"""What each URL asks for. A URL without a policy is refused to everybody, told, and fails audit and tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist, ValidationError

from art32_platform.access.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import Model

__all__ = ["ACCOUNT", "ADMIN", "ANYONE", "POLICIES", "STAFF", "Policy", "policy_of"]

ANYONE = "anyone"
ACCOUNT = "any account"
STAFF = "provider staff"
ADMIN = "admin:"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a URL asks for.

    `methods` gives for each method ANYONE, ACCOUNT, STAFF or a permission of the rules. `record` says which record
    the permission must hold on: its model and the part of the URL with its key. `staff` asks for that in addition.
    """

    methods: Mapping[str, str]
    record: tuple[str, str] | None = None
    staff: bool = False

    def __post_init__(self) -> None:
        """Refuse a permission that the rules do not know: a mistyped one would shut everybody out."""
        for need in self.methods.values():
            if need not in {ANYONE, ACCOUNT, STAFF, *RULES}:
                raise ImproperlyConfigured(f"A policy asks for {need!r}, which is not in the rules.")

    @property
    def needs_login(self) -> bool:
        """Whether nothing of it can be reached without an account."""
        return ANYONE not in self.methods.values()

    def record_at(self, parts: Mapping[str, Any]) -> Model | None:
        """The record that a URL with these parts is about; None when the policy is about none.

        Raises ObjectDoesNotExist when there is none with this key.
        """
        if self.record is None:
            return None
        label, part = self.record
        model = apps.get_model(label)
        key = parts[part] if isinstance(parts[part], UUID) else unquote(str(parts[part]))
        try:
            record: Model = model._base_manager.get(pk=key)  # noqa: SLF001 - unfiltered, by Django's documented interface
        except (ValidationError, ValueError) as error:
            raise ObjectDoesNotExist from error
        return record

    def __str__(self) -> str:
        """The policy in words, as conformance shows it."""
        words = [f"{method}: {need}" for method, need in self.methods.items()]
        if self.record:
            words.append("on the record")
        if self.staff:
            words.append("provider staff only")
        return "; ".join(words)


def _page(get: str | None, post: str | None = None, record: tuple[str, str] | None = None) -> Policy:
    methods = {"GET": get, "POST": post}
    return Policy(methods={method: need for method, need in methods.items() if need}, record=record)


_ORGANISATION = ("customers.Organisation", "organisation")
_CONTACT = ("customers.Contact", "contact")
_MEMBERSHIP = ("customers.Membership", "membership")

POLICIES: Mapping[str, Policy] = {
    "healthz": _page(ANYONE),
    "login": _page(ANYONE, ANYONE),
    "login-code": _page(ANYONE, ANYONE),  # by whoever has just typed the right password
    "logout": _page(None, ACCOUNT),
    "reset": _page(ANYONE, ANYONE),
    "link": _page(ANYONE),  # by whoever has a token that was mailed
    "link-password": _page(ANYONE, ANYONE),
    "help": _page(ANYONE, ANYONE),
    "help-sent": _page(ANYONE),
    "privacy": _page(ANYONE),
    "home": _page(ACCOUNT),
    "password": _page(ACCOUNT, ACCOUNT),
    "security": _page(ACCOUNT, ACCOUNT),
    "second-factor": _page(ACCOUNT, ACCOUNT),
    "backup-codes": _page(ACCOUNT, ACCOUNT),
    "organisation": _page("customers.view_contact", record=_ORGANISATION),
    "organisation-edit": _page("customers.change_organisation", "customers.change_organisation", _ORGANISATION),
    "organisation-activity": _page("activity.view_activity", record=_ORGANISATION),
    "organisation-export": _page("customers.export_contact", record=_ORGANISATION),
    "organisation-people": _page("customers.manage_people", record=_ORGANISATION),
    "organisation-invite": _page("customers.manage_people", "customers.manage_people", _ORGANISATION),
    "person-edit": _page("customers.manage_people", "customers.manage_people", _MEMBERSHIP),
    "person-remove": _page("customers.manage_people", "customers.manage_people", _MEMBERSHIP),
    "contact-add": _page("customers.add_contact", "customers.add_contact", _ORGANISATION),
    "contact": _page("customers.view_contact", record=_CONTACT),
    "contact-edit": _page("customers.change_contact", "customers.change_contact", _CONTACT),
    "contact-remove": _page("customers.delete_contact", "customers.delete_contact", _CONTACT),
    "training-add": _page("customers.add_training", "customers.add_training", _CONTACT),
    "admin:index": Policy(methods={"GET": STAFF}, staff=True),
    "admin:app_list": Policy(methods={"GET": STAFF}, staff=True),
    "admin:jsi18n": Policy(methods={"GET": STAFF}, staff=True),
    "admin:auth_user_password_change": Policy(  # Django's name for it, whatever the user model
        methods={"GET": "accounts.change_account", "POST": "accounts.change_account"},
        record=("accounts.Account", "id"),
        staff=True,
    ),
}


def policy_of(name: str | None) -> Policy:
    """The policy of the URL with this name.

    Raises ImproperlyConfigured when it has none.
    """
    policy = POLICIES.get(name or "") or _admin_policies().get(name or "")
    if policy is None:
        raise ImproperlyConfigured(f"The URL named {name!r} has no policy (access/policies.py).")
    return policy


@dataclass(frozen=True, kw_only=True)
class _AdminPage:
    """What the admin's pages of every model have in common."""

    get: str
    post: str
    record: bool = True


_ADMIN_PAGES: Mapping[str, _AdminPage] = {
    "changelist": _AdminPage(get="view", post="delete", record=False),  # its bulk action removes
    "add": _AdminPage(get="add", post="add", record=False),
    "change": _AdminPage(get="view", post="change"),
    "delete": _AdminPage(get="delete", post="delete"),
}


@cache
def _admin_policies() -> Mapping[str, Policy]:
    """One policy for each page of each model that the admin shows, derived from the rules."""
    return dict(_derive())


def _derive() -> Iterator[tuple[str, Policy]]:
    from art32_platform.admin import site  # noqa: PLC0415 - models are ready only now

    for model in site._registry:  # noqa: SLF001 - AdminSite has no public way to its models
        app, name = model._meta.app_label, model._meta.model_name  # noqa: SLF001 - Django's documented interface
        for page, asks in _ADMIN_PAGES.items():
            needs = {"GET": f"{app}.{asks.get}_{name}", "POST": f"{app}.{asks.post}_{name}"}
            record = (f"{app}.{name}", "object_id") if asks.record else None
            methods = {method: need for method, need in needs.items() if need in RULES}
            if methods:
                yield f"{ADMIN}{app}_{name}_{page}", Policy(methods=methods, record=record, staff=True)
