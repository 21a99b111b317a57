"""What a role allows: the one table, and the two questions everything asks of it.

A view asks nothing of its own: the gate asks `may` before it, lists are made with `allowed`, and Django's admin reaches
both through Account.has_perm and admin.EntityAdmin. What is not in the table is allowed to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.apps import apps
from django.db.models import Model, QuerySet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.contrib.auth.models import AnonymousUser

    from art32_platform.accounts.models import Account
    from art32_platform.customers.models import MembershipQuerySet

__all__ = ["RULES", "Rule", "allowed", "entity_of", "granted", "may"]

M = TypeVar("M", bound=Model)
VIEWER, EDITOR, MANAGER = 10, 20, 30  # customers.Role, which needs the models


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who has a permission; any of the three is enough."""

    role: int | None = None  # at least this role in the organisation that the record belongs to
    staff: bool = False  # everybody of the provider's staff
    administrator: bool = False  # the provider's administrators


ADMINISTRATOR = Rule(administrator=True)
STAFF = Rule(staff=True)

RULES: Mapping[str, Rule] = {
    "customers.view_organisation": Rule(role=VIEWER, administrator=True),
    "customers.change_organisation": Rule(role=MANAGER, administrator=True),
    "customers.add_organisation": ADMINISTRATOR,
    "customers.delete_organisation": ADMINISTRATOR,
    "customers.view_contact": Rule(role=VIEWER),
    "customers.add_contact": Rule(role=EDITOR),
    "customers.change_contact": Rule(role=EDITOR),
    "customers.delete_contact": Rule(role=MANAGER),
    "customers.export_contact": Rule(role=MANAGER),
    "customers.add_training": Rule(role=MANAGER),
    "customers.manage_people": Rule(role=MANAGER, administrator=True),
    "customers.view_membership": ADMINISTRATOR,
    "customers.add_membership": ADMINISTRATOR,
    "customers.change_membership": ADMINISTRATOR,
    "customers.delete_membership": ADMINISTRATOR,
    "accounts.view_account": ADMINISTRATOR,
    "accounts.add_account": ADMINISTRATOR,
    "accounts.change_account": ADMINISTRATOR,
    "accounts.delete_account": ADMINISTRATOR,
    "activity.view_activity": Rule(role=MANAGER, administrator=True),
    "helpdesk.view_helprequest": STAFF,
    "helpdesk.change_helprequest": STAFF,
}

# The column that says which organisation a record belongs to.
ENTITY: Mapping[str, str] = {
    "customers.organisation": "pk",
    "customers.membership": "organisation_id",
    "customers.contact": "organisation_id",
    "customers.training": "organisation_id",
    "activity.activity": "entity",
}


def may(account: Account | AnonymousUser, permission: str, record: Model | None = None) -> bool:
    """Whether an account has a permission on a record; without a record, on any at all."""
    rule = RULES.get(permission)
    if rule is None or not account.is_authenticated or not account.may_log_in:
        return False
    if _by_position(account, rule):
        return True
    if rule.role is None:
        return False
    memberships = _memberships(account, rule.role)
    if record is None:
        return memberships.exists()
    entity = entity_of(record)
    return entity is not None and memberships.filter(organisation_id=entity).exists()


def allowed(account: Account | AnonymousUser, permission: str, records: QuerySet[M]) -> QuerySet[M]:
    """Those of the records on which an account has a permission."""
    rule = RULES.get(permission)
    if rule is None or not account.is_authenticated or not account.may_log_in:
        return records.none()
    if _by_position(account, rule):
        return records
    column = ENTITY.get(records.model._meta.label_lower)  # noqa: SLF001 - Django's documented interface
    if rule.role is None or column is None:
        return records.none()
    return records.filter(**{f"{column}__in": _memberships(account, rule.role).values("organisation_id")})


def granted(account: Account | AnonymousUser, record: Model, *names: str) -> dict[str, bool]:
    """For a template: which of these permissions an account has on a record, by the part after the dot."""
    return {name.partition(".")[2]: may(account, name, record) for name in names}


def entity_of(record: Model) -> UUID | None:
    """The key of the organisation that a record belongs to; None when it belongs to none."""
    column = ENTITY.get(record._meta.label_lower)  # noqa: SLF001 - Django's documented interface
    return getattr(record, column) if column else None


def _by_position(account: Account, rule: Rule) -> bool:
    return (rule.staff and account.is_staff) or (rule.administrator and account.is_administrator)


def _memberships(account: Account, role: int) -> MembershipQuerySet:
    objects: MembershipQuerySet = apps.get_model("customers", "Membership").objects.all()
    return objects.current().filter(account=account, role__gte=role)
