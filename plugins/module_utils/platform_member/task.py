# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module platform_member is asked for."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "declared"]

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .model import ROLES, Account, Declaration, MemberError, Membership

if TYPE_CHECKING:
    from collections.abc import Mapping

PERSON: dict[str, Any] = {
    "name": {"type": "str"},
    "email": {"type": "str", "required": True},
    "platform": {"type": "str", "choices": ["staff", "administrator"]},
    "until": {"type": "str"},
    "ssh": {"type": "str"},
    "database": {"type": "str"},
}
MEMBER: dict[str, Any] = {
    "email": {"type": "str", "required": True},
    "name": {"type": "str"},
    "organisation": {"type": "str", "required": True},
    "role": {"type": "str", "choices": list(ROLES), "required": True},
    "until": {"type": "str"},
}
ARGUMENTS: dict[str, Any] = {
    "database": {"type": "str", "default": "platform"},
    "people": {"type": "list", "elements": "dict", "options": PERSON, "default": []},
    "members": {"type": "list", "elements": "dict", "options": MEMBER, "default": []},
    "exact": {"type": "str", "choices": ["none", "staff", "all"], "default": "none"},
    "passwords": {"type": "dict", "no_log": True, "default": {}},
    "invite": {"type": "bool", "default": True},
    "deliver": {"type": "list", "elements": "str", "default": []},
    "socket": {"type": "path", "default": "/var/run/postgresql"},
    "port": {"type": "int", "default": 5432},
    "user": {"type": "str", "default": "postgres"},
}
EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+")
STAFF_DAYS = 90


def declared(params: Mapping[str, Any]) -> Declaration:
    """What the task declares. Raises MemberError when something in it cannot be."""
    memberships = [_membership(entry) for entry in params["members"]]
    accounts: dict[str, Account] = {}
    for entry in params["people"]:
        if entry["platform"]:
            account = _person(entry, params["passwords"])
            if account.email in accounts:
                raise MemberError(f"people name {account.email} twice; one entry an e-mail address is allowed.")
            accounts[account.email] = account
    for entry, membership in zip(params["members"], memberships, strict=True):
        known = accounts.get(membership.email)
        if known is None:
            password = params["passwords"].get(membership.email)
            accounts[membership.email] = Account(email=membership.email, name=entry["name"], password=password)
        elif known.staff:
            _check_end_of_staff(membership)
    _check_memberships(memberships)
    _check_passwords(params["passwords"], accounts)
    return Declaration(
        accounts=tuple(accounts.values()),
        memberships=tuple(memberships),
        exact=params["exact"],
        invite=params["invite"],
    )


def _person(entry: Mapping[str, Any], passwords: Mapping[str, str]) -> Account:
    email = _email(entry["email"], "people")
    return Account(
        email=email,
        name=entry["name"],
        staff=True,
        administrator=entry["platform"] == "administrator",
        until=_day(entry["until"], email),
        password=passwords.get(email),
    )


def _membership(entry: Mapping[str, Any]) -> Membership:
    email = _email(entry["email"], "members")
    if not entry["organisation"].strip():
        raise MemberError(f"organisation of {email} is empty; it has to be a name.")
    return Membership(
        email=email, organisation=entry["organisation"], role=entry["role"], until=_day(entry["until"], email)
    )


def _email(text: str, where: str) -> str:
    email = text.strip().lower()
    if not EMAIL.fullmatch(email):
        raise MemberError(f"{where} name {text!r}; an e-mail address of printable ASCII characters is allowed.")
    return email


def _day(text: str | None, email: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise MemberError(f"until of {email} is {text}; it has to be a date like 2026-12-31.") from None


def _check_end_of_staff(membership: Membership) -> None:
    latest = datetime.now(tz=UTC).date() + timedelta(days=STAFF_DAYS)
    if membership.until is None or membership.until > latest:
        raise MemberError(
            f"until of {membership.email} in {membership.organisation} is {membership.until or 'missing'}; access of"
            f" the provider's staff to a customer ends: {latest} or earlier is allowed."
        )


def _check_memberships(memberships: list[Membership]) -> None:
    seen = set()
    for one in memberships:
        if (one.email, one.organisation) in seen:
            raise MemberError(f"members name {one.email} in {one.organisation} twice; one role is allowed.")
        seen.add((one.email, one.organisation))


def _check_passwords(passwords: Mapping[str, str], accounts: Mapping[str, Account]) -> None:
    unknown = sorted(set(passwords) - set(accounts))
    if unknown:
        raise MemberError(f"passwords name {', '.join(unknown)}, whom neither people nor members declare.")
