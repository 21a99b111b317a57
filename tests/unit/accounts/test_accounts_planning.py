"""What changes when the list of people does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.art32.server.plugins.module_utils.accounts import (
    Account,
    AccountsError,
    Person,
    State,
    describe,
    plan,
    predict,
)

BASH = "/bin/bash"
GROUPS = frozenset({"art32-people", "art32-admin", "art32-former"})
JANE = Person(name="jane", comment="jane@provider.example", admin=True)
JANES = Account(
    name="jane",
    uid=1001,
    login_shell=BASH,
    comment="jane@provider.example",
    groups=frozenset({"art32-people", "art32-admin"}),
    max_days="-1",
)
JOES = replace(JANES, name="joe", uid=1002, comment="", groups=frozenset({"art32-people"}))
LOCKED = replace(JOES, groups=frozenset({"art32-former"}), login_shell="/usr/sbin/nologin", expires="1")


def state(*accounts: Account, groups: frozenset[str] = GROUPS) -> State:
    return State(accounts={account.name: account for account in accounts}, groups=groups)


def said(people: list[Person], before: State, caller: str = "") -> list[str]:
    return [step.says for step in plan(people, before, shell=BASH, caller=caller)]


def test_nothing_to_do() -> None:
    assert said([JANE], state(JANES, LOCKED)) == []


def test_a_fresh_host_gets_groups_and_accounts() -> None:
    steps = plan([JANE], state(groups=frozenset()), shell=BASH)
    assert [step.says for step in steps] == [
        "make group art32-people",
        "make group art32-admin",
        "make group art32-former",
        "make account jane (art32-admin, art32-people)",
    ]
    assert steps[-1].command[0] == "useradd"
    assert "--user-group" in steps[-1].command


def test_a_left_over_group_is_taken_over() -> None:
    steps = plan([JANE], state(groups=GROUPS | {"jane"}), shell=BASH)
    assert steps[0].command[2:4] == ("--gid", "jane")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"groups": JANES.groups | {"docker"}}, "change account jane: groups"),
        ({"groups": frozenset({"art32-people"})}, "change account jane: groups"),
        ({"groups": frozenset()}, "change account jane: groups"),
        ({"login_shell": "/bin/zsh"}, "change account jane: shell"),
        ({"comment": "Jane"}, "change account jane: comment"),
        ({"has_password": True}, "change account jane: lock the password"),
        ({"expires": "1"}, "change account jane: no expiry"),
        ({"max_days": "90"}, "let the locked password of jane never grow old"),
    ],
)
def test_drift_is_put_right(change: dict[str, object], says: str) -> None:
    drifted = replace(JANES, **change)  # type: ignore[arg-type]
    assert said([JANE], state(drifted)) == [says]
    assert describe(state(drifted)) != describe(state(JANES)) or "max_days" in change


def test_who_leaves_is_locked_before_the_sessions_end() -> None:
    steps = plan([JANE], state(JANES, replace(JOES, has_password=True, processes=3, lingers=True)), shell=BASH)
    assert [step.says for step in steps] == [
        "lock account joe",
        "let joe leave no services behind",
        "end the sessions and processes of joe",
    ]
    assert steps[0].command == (
        *("usermod", "--groups", "art32-former", "--shell", "/usr/sbin/nologin"),
        *("--lock", "--expiredate", "1", "joe"),
    )
    assert steps[2].ends_uid == JOES.uid


@pytest.mark.parametrize(
    "change", [{"login_shell": BASH}, {"expires": ""}, {"has_password": True}, {"groups": frozenset({"art32-admin"})}]
)
def test_who_left_stays_locked(change: dict[str, object]) -> None:
    assert said([JANE], state(JANES, replace(LOCKED, **change))) == ["lock account joe"]  # type: ignore[arg-type]


def test_who_comes_back_gets_the_old_account() -> None:
    joe = Person(name="joe")
    assert said([joe], state(LOCKED)) == ["change account joe: groups, shell, no expiry"]


def test_other_accounts_are_left_alone() -> None:
    admin = Account(name="admin", uid=1000, login_shell=BASH, groups=frozenset({"sudo"}), has_password=True)
    assert said([JANE], state(JANES, admin)) == []


def test_an_account_of_the_system_is_refused() -> None:
    postgres = Account(name="postgres", uid=105, login_shell=BASH)
    with pytest.raises(AccountsError, match=r"postgres is an account of the system \(uid 105\)"):
        plan([Person(name="postgres")], state(postgres), shell=BASH)


def test_nobody_locks_out_himself() -> None:
    with pytest.raises(AccountsError, match="logged in as joe"):
        plan([JANE], state(JANES, JOES), shell=BASH, caller="joe")


def test_a_prediction_needs_no_further_steps() -> None:
    before = state(replace(JANES, login_shell="/bin/sh"), replace(JOES, processes=2))
    after = predict([JANE], before, shell=BASH)
    assert said([JANE], after) == []
    assert describe(before).splitlines() == [
        "jane open /bin/sh art32-admin,art32-people jane@provider.example",
        "joe open /bin/bash art32-people",
    ]
    assert describe(after).splitlines() == [
        "jane open /bin/bash art32-admin,art32-people jane@provider.example",
        "joe locked /usr/sbin/nologin art32-former",
    ]
