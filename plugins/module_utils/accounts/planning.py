# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is declared and what is there to the steps between them; nothing here touches a host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .model import ADMIN_GROUP, FORMER_GROUP, PEOPLE_GROUP, Account, AccountsError, Person, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["describe", "plan", "predict"]

NOLOGIN = "/usr/sbin/nologin"
# Accounts of people are numbered between these (login.defs(5)).
FIRST_UID, LAST_UID = 1000, 60000
# A locked password must not grow old either: PAM would ask for a new one at a login by certificate.
NEVER = frozenset({"", "-1", "99999"})
LONG_PAST = "1"
OUR_GROUPS = (PEOPLE_GROUP, ADMIN_GROUP, FORMER_GROUP)


def plan(people: Sequence[Person], state: State, *, shell: str, caller: str = "") -> list[Step]:
    """The steps from a host's state to exactly the declared people, in order; none when it is there already.

    Raises AccountsError when a name belongs to the system, or when the caller would shut itself out.
    """
    declared = {person.name: person for person in people}
    former = [account for account in state.accounts.values() if _is_former(account, declared)]
    if caller in {account.name for account in former}:
        raise AccountsError(
            f"This run is logged in as {caller}, whose account would be locked now: "
            f"declare {caller} in people, or run it as somebody who stays."
        )
    steps = [
        Step(says=f"make group {group}", command=("groupadd", "--system", group))
        for group in OUR_GROUPS
        if group not in state.groups
    ]
    for account in sorted(former, key=lambda account: account.name):
        steps += _close(account)
    for name in sorted(declared):
        steps += _open(declared[name], state, shell)
    return steps


def _is_former(account: Account, declared: Mapping[str, Person]) -> bool:
    return account.name not in declared and not account.groups.isdisjoint(OUR_GROUPS)


def _open(person: Person, state: State, shell: str) -> list[Step]:
    account = state.accounts.get(person.name)
    if account is None:
        return [_create(person, state, shell)]
    if not FIRST_UID <= account.uid <= LAST_UID:
        raise AccountsError(
            f"{person.name} is an account of the system (uid {account.uid}): a person needs another name."
        )
    steps = []
    options = _changes(person, account, shell)
    if options:
        says = f"change account {person.name}: {', '.join(options)}"
        words = tuple(word for option in options.values() for word in option)
        steps.append(Step(says=says, command=("usermod", *words, person.name)))
    if account.max_days not in NEVER:
        says = f"let the locked password of {person.name} never grow old"
        steps.append(Step(says=says, command=("chage", "--maxdays", "-1", person.name)))
    return steps


def _create(person: Person, state: State, shell: str) -> Step:
    # A group of this name may be left from an account that was removed by hand.
    own_group = ("--gid", person.name) if person.name in state.groups else ("--user-group",)
    return Step(
        says=f"make account {person.name} ({', '.join(sorted(person.groups))})",
        command=(
            "useradd",
            "--create-home",
            *own_group,
            *("--key", "HOME_MODE=0700", "--key", "PASS_MAX_DAYS=-1"),
            *("--shell", shell, "--comment", person.comment),
            *("--groups", ",".join(sorted(person.groups))),
            person.name,
        ),
    )


def _changes(person: Person, account: Account, shell: str) -> dict[str, tuple[str, ...]]:
    """Options of usermod for what differs, by what they change."""
    options: dict[str, tuple[str, ...]] = {}
    if account.groups != person.groups:
        options["groups"] = ("--groups", ",".join(sorted(person.groups)))
    if account.login_shell != shell:
        options["shell"] = ("--shell", shell)
    if account.comment != person.comment:
        options["comment"] = ("--comment", person.comment)
    if account.has_password:
        options["lock the password"] = ("--lock",)
    if account.expires:
        options["no expiry"] = ("--expiredate", "")
    return options


def _close(account: Account) -> list[Step]:
    """What makes an account useless to whoever still holds its credentials."""
    options: list[str] = []
    if account.groups != {FORMER_GROUP}:
        options += ["--groups", FORMER_GROUP]
    if account.login_shell != NOLOGIN:
        options += ["--shell", NOLOGIN]
    if account.has_password:
        options += ["--lock"]
    # A locked password stops no certificate; an account that has expired is refused by sshd and PAM.
    if account.expires != LONG_PAST:
        options += ["--expiredate", LONG_PAST]
    steps = []
    if options:
        steps.append(Step(says=f"lock account {account.name}", command=("usermod", *options, account.name)))
    if account.lingers:
        says = f"let {account.name} leave no services behind"
        steps.append(Step(says=says, command=("loginctl", "disable-linger", account.name)))
    if account.processes:
        steps.append(Step(says=f"end the sessions and processes of {account.name}", ends_uid=account.uid))
    return steps


def predict(people: Sequence[Person], state: State, *, shell: str) -> State:
    """The state that the steps of `plan` lead to, as far as `describe` tells it."""
    declared = {person.name: person for person in people}
    accounts = dict(state.accounts)
    for name, account in state.accounts.items():
        if _is_former(account, declared):
            accounts[name] = replace(
                account,
                login_shell=NOLOGIN,
                groups=frozenset({FORMER_GROUP}),
                expires=LONG_PAST,
                has_password=False,
                lingers=False,
                processes=0,
            )
    for name, person in declared.items():
        uid = state.accounts[name].uid if name in state.accounts else 0
        accounts[name] = Account(name=name, uid=uid, login_shell=shell, comment=person.comment, groups=person.groups)
    return State(accounts=accounts, groups=state.groups | frozenset(OUR_GROUPS))


def describe(state: State, names: Iterable[str] = ()) -> str:
    """One line for every account that is a person's, was one's, or is named: the two sides of a diff."""
    shown = [
        account
        for account in state.accounts.values()
        if account.name in set(names) or not account.groups.isdisjoint(OUR_GROUPS)
    ]
    return "".join(f"{_line(account)}\n" for account in sorted(shown, key=lambda account: account.name))


def _line(account: Account) -> str:
    parts = [account.name, "locked" if account.expires == LONG_PAST else "open", account.login_shell]
    parts.append(",".join(sorted(account.groups)) or "no groups")
    parts += [account.comment] if account.comment else []
    parts += ["password set"] if account.has_password else []
    parts += [f"expires {account.expires}"] if account.expires not in ("", LONG_PAST) else []
    parts += [f"{account.processes} processes"] if account.processes and account.expires == LONG_PAST else []
    return " ".join(parts)
