# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts and memberships of the platform, declared and found."""

from __future__ import annotations

__all__ = ["ROLES", "Account", "Change", "Declaration", "Found", "MemberError", "Membership", "State"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

ROLES = {"viewer": 10, "editor": 20, "manager": 30}


class MemberError(Exception):
    """Something that cannot be declared, or a database that cannot be worked on."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What an account is to be. Without a name, the one that is there stays; without a password, the person's own."""

    email: str
    name: str | None = None
    staff: bool = False
    administrator: bool = False
    until: date | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A role in an organisation, and its last day."""

    email: str
    organisation: str
    role: str
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Everything that is declared. `exact` says whose accounts end when nobody declares them."""

    accounts: tuple[Account, ...] = ()
    memberships: tuple[Membership, ...] = ()
    exact: str = "none"
    invite: bool = True


@dataclass(frozen=True, kw_only=True)
class Found:
    """An account as the database has it. `invited`: a link waits to be mailed, or was and still works."""

    name: str = ""
    active: bool = True
    staff: bool = False
    administrator: bool = False
    until: date | None = None
    password: str = field(default="!", repr=False)
    invited: bool = False


@dataclass(frozen=True, kw_only=True)
class State:
    """What the database has: accounts by e-mail address, and (role, last day) by address and organisation."""

    accounts: Mapping[str, Found] = field(default_factory=dict)
    memberships: Mapping[tuple[str, str], tuple[int, date | None]] = field(default_factory=dict)
    organisations: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One step: in words, and as a statement with its values, which may be secret."""

    text: str
    statement: str
    values: tuple[Any, ...] = field(default=(), repr=False)
