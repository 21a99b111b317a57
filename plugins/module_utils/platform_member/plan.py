# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps from what the database has to what is declared."""

from __future__ import annotations

__all__ = ["plan"]

from typing import TYPE_CHECKING

from .model import ROLES, Account, Change, Declaration, Found, State
from .passwords import hashed, is_hash_of, is_usable, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKE_ORGANISATION = """
insert into public.customers_organisation (id, name, address) values (gen_random_uuid(), %s, '')
"""
MAKE_ACCOUNT = """
insert into public.accounts_account (email, name, password, is_active, is_staff, is_administrator, until)
values (%s, %s, %s, true, %s, %s, %s)
"""
CHANGE_ACCOUNT = """
update public.accounts_account set name = %s, is_active = %s, is_staff = %s, is_administrator = %s, until = %s
 where email = %s
"""
END_ACCOUNT = """
update public.accounts_account set is_active = false, is_staff = false, is_administrator = false where email = %s
"""
CHANGE_HASH = """
update public.accounts_account set password = %s where email = %s
"""
END_SESSIONS = """
delete from public.accounts_session session using public.accounts_account account
 where account.id = session.account_id and account.email = %s
"""
INVITE = """
insert into public.accounts_link (account_id, purpose, created_by)
select id, 'invitation', 'platform_member' from public.accounts_account where email = %s
"""
MAKE_MEMBERSHIP = """
insert into public.customers_membership (account_id, organisation_id, role, until)
select account.id, organisation.id, %s, %s
  from public.accounts_account account, public.customers_organisation organisation
 where account.email = %s and organisation.name = %s
    on conflict (account_id, organisation_id) do update set role = excluded.role, until = excluded.until
"""
END_MEMBERSHIP = """
delete from public.customers_membership membership
 using public.accounts_account account, public.customers_organisation organisation
 where account.id = membership.account_id and organisation.id = membership.organisation_id
   and account.email = %s and organisation.name = %s
"""


def plan(declaration: Declaration, state: State) -> list[Change]:
    """Every step, in an order that works; none when all is as declared."""
    changes = [*_organisations(declaration, state)]
    for account in declaration.accounts:
        changes += _account(account, state.accounts.get(account.email))
    return [
        *changes,
        *_memberships(declaration, state),
        *_invitations(declaration, state),
        *_undeclared(declaration, state),
    ]


def _organisations(declaration: Declaration, state: State) -> Iterator[Change]:
    for name in sorted({one.organisation for one in declaration.memberships} - state.organisations):
        yield Change(f"make organisation {name}", MAKE_ORGANISATION, (name,))


def _account(wanted: Account, found: Found | None) -> Iterator[Change]:
    email = wanted.email
    if found is None:
        password = hashed(wanted.password) if wanted.password else unusable()
        flags = (wanted.staff, wanted.administrator, wanted.until)
        yield Change(f"make account {email}", MAKE_ACCOUNT, (email, wanted.name or "", password, *flags))
        return
    columns = {
        "name": (found.name, found.name if wanted.name is None else wanted.name),
        "is_active": (found.active, True),
        "is_staff": (found.staff, wanted.staff),
        "is_administrator": (found.administrator, wanted.administrator),
        "until": (found.until, wanted.until),
    }
    differing = {column: new for column, (old, new) in columns.items() if old != new}
    if differing:
        values = [new for _, new in columns.values()]
        text = ", ".join(f"{column.removeprefix('is_')} {_word(value)}" for column, value in differing.items())
        yield Change(f"change account {email}: {text}", CHANGE_ACCOUNT, (*values, email))
    if wanted.password and not is_hash_of(found.password, wanted.password):
        yield Change(f"set the password of {email}", CHANGE_HASH, (hashed(wanted.password), email))
        yield Change(f"end the sessions of {email}", END_SESSIONS, (email,))


def _memberships(declaration: Declaration, state: State) -> Iterator[Change]:
    for one in declaration.memberships:
        wanted = (ROLES[one.role], one.until)
        found = state.memberships.get((one.email, one.organisation))
        if found == wanted:
            continue
        end = f" until {one.until}" if one.until else ""
        yield Change(
            f"{one.email} is {one.role} of {one.organisation}{end}",
            MAKE_MEMBERSHIP,
            (*wanted, one.email, one.organisation),
        )


def _invitations(declaration: Declaration, state: State) -> Iterator[Change]:
    for account in declaration.accounts if declaration.invite else ():
        found = state.accounts.get(account.email, Found())
        if not account.password and not is_usable(found.password) and not found.invited:
            yield Change(f"invite {account.email}", INVITE, (account.email,))


def _undeclared(declaration: Declaration, state: State) -> Iterator[Change]:
    """End the accounts that nobody declared, of the provider's staff or of everybody; their records stay."""
    declared = {account.email for account in declaration.accounts}
    for email, found in sorted(state.accounts.items()):
        concerned = declaration.exact == "all" or (declaration.exact == "staff" and found.staff)
        if not concerned or email in declared:
            continue
        if found.active or found.staff:
            yield Change(f"end account {email}", END_ACCOUNT, (email,))
            yield Change(f"end the sessions of {email}", END_SESSIONS, (email,))
    if declaration.exact == "none":
        return
    kept = {(one.email, one.organisation) for one in declaration.memberships}
    staff = {account.email for account in declaration.accounts if account.staff}
    for email, organisation in sorted(state.memberships):
        was_staff = state.accounts[email].staff or email in staff
        if (email, organisation) not in kept and (declaration.exact == "all" or was_staff):
            yield Change(f"{email} is nothing of {organisation}", END_MEMBERSHIP, (email, organisation))


def _word(value: object) -> str:
    if value is None:
        return "without end"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
