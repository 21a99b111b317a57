"""ACC-1 on every host: who gets in, and who becomes root, equals the declared people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import declared
from .judges import accounts, files, root
from .marks import control
from .sources import WAY_IN_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .environment import Environment
    from .machine import Machine


@control("ACC-1")
def test_ssh_principals_equal_the_declared_people(managed: Machine, declaration: Environment) -> None:
    found = accounts.principals(managed.observed("principals").text)
    system = managed.variable("sshd_system_principals", {})
    wanted = {name: {name} for name in declaration.people("ssh")}
    wanted |= {account: set(names) for account, names in system.items()}
    problems = accounts.differences(found, wanted)
    assert not problems, f"Who gets in by SSH differs from people: {'; '.join(problems)}."


@control("ACC-1")
def test_accounts_equal_the_declared_people(managed: Machine, declaration: Environment) -> None:
    people = declaration.people("ssh")
    passwd, group = managed.observed("accounts").text, managed.observed("groups").text
    found = accounts.members(passwd, group, "art32-people")
    assert found == set(people), f"The people's accounts are {named(found)}; declared are {named(people)}."
    admins = {name for name, role in people.items() if role == "admin"}
    found = accounts.members(passwd, group, "art32-admin")
    assert found == admins, f"The administrators are {named(found)}; declared are {named(admins)}."


@control("ACC-1")
def test_only_declared_administrators_become_root(managed: Machine, declaration: Environment) -> None:
    passwd, group = managed.observed("accounts").text, managed.observed("groups").text
    able = accounts.sudoers(managed.observed("sudoers").text, passwd, group)
    reachable = set(accounts.principals(managed.observed("principals").text))
    admins = {name for name, role in declaration.people("ssh").items() if role == "admin"}
    extra = (able & reachable) - admins
    assert not extra, f"{named(extra)} may use sudo; declared administrators are {named(admins)} (people)."
    assert admins <= able, f"{named(admins - able)} is declared as administrator but may not use sudo."


@control("ACC-1")
@pytest.mark.usefixtures("ours")
def test_rules_for_administrators_are_the_declared_ones(managed: Machine) -> None:
    found = files.problems(managed.observed("managed-files").text, declared.files(managed, "ACC-1"))
    found += [f"others than root can change {path}" for path in managed.observed("writable-sudoers").stdout.split()]
    wanted = {"README", *(path.rpartition("/")[2] for path in declared.files(managed, "ACC-1"))}
    listed = (line.split(" ", 1) for line in managed.observed("sudoers-files").text.splitlines())
    found += [
        f"/etc/sudoers.d/{name} is no declared file" for kind, name in listed if kind != "f" or name not in wanted
    ]
    passwd, group = managed.observed("accounts").text, managed.observed("groups").text
    able = accounts.sudoers(managed.observed("sudoers").text, passwd, group)
    extra = able - accounts.members(passwd, group, "art32-admin") - {"root"}
    found += [f"{named(extra)} may use sudo"] if extra else []
    assert not found, f"Who may become root, and how, was changed: {'; '.join(found)}."


@control("ACC-1")
def test_no_account_has_a_password(managed: Machine) -> None:
    found = accounts.with_password(managed.observed("passwords").text)
    assert not found, f"{named(found)} could log in with a password; certificates are declared."


@control("ACC-1")
def test_nobody_becomes_root_unseen(managed: Machine) -> None:
    passwd, group = managed.observed("accounts").text, managed.observed("groups").text
    known, first_user = declared.known_of_root(managed, "programs"), managed.variable("access_first_user")
    found = root.unseen(managed.observed("of-root").text, passwd, group, known, first_user)
    assert not found, f"Others than the declared people could act as root: {'; '.join(found)}."


@control("ACC-1")
@pytest.mark.usefixtures("ours")
def test_root_does_only_what_packages_and_roles_laid_down(managed: Machine) -> None:
    of_the_way_in = [*declared.paths(), *(f"/etc/systemd/system/{unit}" for unit in WAY_IN_UNITS)]
    known = [*declared.known_of_root(managed, "files"), *of_the_way_in]
    found = root.undeclared(managed.observed("of-root").text, managed.observed("manifests").text, known)
    assert not found, f"Nobody declared what root does there (audit_known_files): {'; '.join(found)}."


@control("ACC-1")
@pytest.mark.usefixtures("ours")
def test_what_undoes_changes_is_as_it_was_laid_down(managed: Machine) -> None:
    roles = ["art32-revert", *(role for role in ["art32-revert-pending"] if declared.is_noted(managed, role))]
    found = [problem for role in roles for problem in declared.problems(managed, role)]
    assert not found, f"What returns a host to its last confirmed state was changed: {'; '.join(found)}."


def named(names: Iterable[str]) -> str:
    """Names for a sentence."""
    return ", ".join(sorted(names)) or "nobody"


@control("ACC-1")
@pytest.mark.usefixtures("ours")
def test_what_tells_who_was_there_is_set_up_as_declared(managed: Machine) -> None:
    watcher = managed.variable("watch_host")
    # Where nobody watches, or another host does, a run has noted that nothing of it may be there.
    ended = [role for role in ("watch_observed", "watch") if watcher or declared.is_noted(managed, role)]
    roles = ended + ["watch_program"] * (watcher == managed.name)
    found = declared.problems(managed, "base", without=(*declared.UPGRADES, *declared.CLOCK_AND_ALARMS))
    found += [problem for role in roles for problem in declared.problems(managed, role)]
    assert not found, f"The host's own logs, or the watch over it, were changed: {'; '.join(found)}."
