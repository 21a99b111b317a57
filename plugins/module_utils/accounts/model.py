# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an account is, here and as it should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ADMIN_GROUP",
    "FORMER_GROUP",
    "PEOPLE_GROUP",
    "Account",
    "AccountsError",
    "Person",
    "State",
    "Step",
]

PEOPLE_GROUP = "art32-people"
FORMER_GROUP = "art32-former"
ADMIN_GROUP = "art32-admin"


class AccountsError(Exception):
    """The accounts cannot become what is declared."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is to have an account."""

    name: str
    comment: str = ""
    admin: bool = False

    @property
    def groups(self) -> frozenset[str]:
        """The groups the account is in besides its own."""
        return frozenset({PEOPLE_GROUP, ADMIN_GROUP} if self.admin else {PEOPLE_GROUP})


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account as the host has it."""

    name: str
    uid: int
    login_shell: str
    comment: str = ""
    groups: frozenset[str] = frozenset()
    has_password: bool = False
    expires: str = ""
    max_days: str = ""
    lingers: bool = False
    processes: int = 0


@dataclass(frozen=True, kw_only=True)
class State:
    """Every account and every group of a host, by name."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do: a command, or the end of a user's processes, and the sentence that says it."""

    says: str
    command: tuple[str, ...] = ()
    ends_uid: int | None = None
