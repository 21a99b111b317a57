"""Exactly the declared people have an account that is of use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine


def shadow(server: Machine, name: str) -> list[str]:
    return server.check_output(f"getent shadow {name}").split(":")


def test_the_declared_person_has_an_account(server: Machine) -> None:
    jane = server.user("jane")
    assert jane.shell == "/bin/bash"
    assert set(jane.groups) == {"jane", "art32-people", "art32-admin"}
    assert server.file("/home/jane").mode == 0o700


def test_the_declared_person_has_no_password_and_does_not_expire(server: Machine) -> None:
    _, password, _, _, longest, _, _, expires, _ = shadow(server, "jane")
    assert password.startswith("!")
    assert longest in ("", "-1")
    assert expires == ""


@pytest.mark.parametrize("name", ["joe", "intruder"])
def test_nobody_else_gets_in(server: Machine, name: str) -> None:
    account = server.user(name)
    assert account.shell == "/usr/sbin/nologin"
    assert set(account.groups) == {name, "art32-former"}
    assert shadow(server, name)[1].startswith("!")
    # The positive twin: jane's account is asked in the same way, and is let in.
    assert server.run("su --shell /bin/sh --command true jane").rc == 0
    refused = server.run(f"su --shell /bin/sh --command true {name}")
    assert refused.rc != 0
    assert "expired" in refused.stderr


def test_nothing_runs_for_who_left(server: Machine) -> None:
    assert server.check_output("pgrep --euid joe | wc -l") == "0"
    assert not server.service("joes-work").is_running
    # The positive twin: the count sees what runs for others.
    assert server.check_output("pgrep --euid root | wc -l") != "0"


def test_the_files_of_who_left_stay_his(server: Machine) -> None:
    assert server.file("/home/joe").user == "joe"


def test_other_accounts_are_as_they_were(server: Machine) -> None:
    assert "sudo" in server.user("admin").groups
    assert server.user("admin").shell == "/bin/bash"
