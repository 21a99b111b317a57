# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The platform's database, over psycopg and the server's socket."""

from __future__ import annotations

__all__ = ["HAS_PSYCOPG", "KNOWN", "Target", "reconcile"]

import os
import pwd
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

try:
    import psycopg
except ImportError:
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

from .model import Change, Declaration, Found, MemberError, State
from .plan import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

# The last migration of each part of the platform that the statements here were written for.
KNOWN = {"accounts": "0005_authenticators", "customers": "0004_recorded"}
OPTIONS = (
    "-c search_path=pg_catalog -c timezone=UTC -c lock_timeout=10s"
    " -c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1"
)
ACTOR = "platform_member"
ACCOUNTS = """
select email, name, is_active, is_staff, is_administrator, until, password, exists (
         select from public.accounts_link link
          where link.account_id = account.id and link.used_at is null and link.purpose = 'invitation'
            and (link.mailed_at is null or link.expires_at > now()))
  from public.accounts_account account
"""
MEMBERSHIPS = """
select account.email, organisation.name, membership.role, membership.until
  from public.customers_membership membership
  join public.accounts_account account on account.id = membership.account_id
  join public.customers_organisation organisation on organisation.id = membership.organisation_id
"""
SCHEMA = "select app, max(name) from public.django_migrations where app = any(%s) group by app"
LOCK = "lock table public.accounts_account, public.customers_membership in share row exclusive mode"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the database is, and the system's user to connect as."""

    database: str
    socket: str
    port: int
    user: str


def reconcile(target: Target, declaration: Declaration, *, check: bool) -> list[Change]:
    """Make the database what is declared, in one transaction; with `check`, only say what would be done.

    Raises MemberError when there is no such database, its schema is not known, or it is not as declared afterwards.
    """
    try:
        with (
            _as_user(target.user),
            psycopg.connect(
                dbname=target.database, host=target.socket, port=target.port, user=target.user, options=OPTIONS
            ) as connection,
        ):
            _check_schema(connection, target.database)
            if not check:
                connection.execute(LOCK)
            changes = plan(declaration, _read(connection))
            if check or not changes:
                return changes
            connection.execute("select set_config('art32.account', %s, true)", [ACTOR])
            for change in changes:
                connection.execute(change.statement, change.values)
            left = plan(declaration, _read(connection))
            if left:
                raise MemberError(f"{target.database} is not as declared afterwards: {left[0].text}.")
            return changes
    except psycopg.Error as error:
        raise MemberError(f"The database {target.database} at {target.socket}: {str(error).strip()}") from None


def _check_schema(connection: psycopg.Connection[Any], database: str) -> None:
    try:
        found = dict(connection.execute(SCHEMA, [list(KNOWN)]).fetchall())
    except psycopg.errors.UndefinedTable:
        raise MemberError(f"{database} is no database of the platform: it has no table django_migrations.") from None
    for app, known in KNOWN.items():
        if found.get(app) != known:
            raise MemberError(
                f"{database} has the schema {app} {found.get(app) or 'of no version'}; this module knows {known}."
                " Use the collection that belongs to the platform's version."
            )


def _read(connection: psycopg.Connection[Any]) -> State:
    names = ("name", "active", "staff", "administrator", "until", "password", "invited")
    accounts = {email: Found(**dict(zip(names, row, strict=True))) for email, *row in connection.execute(ACCOUNTS)}
    memberships = {
        (email, organisation): (role, until) for email, organisation, role, until in connection.execute(MEMBERSHIPS)
    }
    rows = connection.execute("select name from public.customers_organisation")
    return State(accounts=accounts, memberships=memberships, organisations=frozenset(name for (name,) in rows))


@contextmanager
def _as_user(name: str) -> Iterator[None]:
    """Be the server's user for as long as the connection is made and used, as peer authentication asks."""
    if os.geteuid() != 0:
        yield
        return
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise MemberError(f"There is no user {name}; it has to be the superuser of the cluster (user).") from None
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
