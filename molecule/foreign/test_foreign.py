"""Any server can be asked, by whoever may log in; what is wrong is told with its mending, and nothing is changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment
    from controls.machine import Machine

    State = Callable[[Machine], str]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def login(declaration: Environment, server: Machine, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How anybody with the cloud's first key logs in."""
    known = tmp_path_factory.mktemp("ssh") / "known_hosts"
    options = ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=accept-new"]
    return ["-i", str(declaration.get("access_first_key")), *options, f"admin@{server.addresses[0]}"]


@pytest.fixture(scope="module")
def before(server: Machine, state: State) -> str:
    """The server before anybody asked."""
    return state(server)


@pytest.fixture(scope="module")
def bundle(before: str, server: Machine, login: list[str]) -> Iterator[Path]:
    """What the audit found."""
    del before  # first of all the server is looked at
    told = audit("--domain", "site.example.test", "--contact", "team@example.test", *login)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "SSH-1  server  not met" in told.stdout
    yield ROOT / "evidence" / server.addresses[0] / "latest"
    shutil.rmtree(ROOT / "evidence" / server.addresses[0])


@pytest.fixture(scope="module")
def report(bundle: Path) -> dict[str, dict[str, Any]]:
    """The controls of the server, by their ids."""
    told = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    return {control["id"]: control for control in told["controls"] if control["host"]}


def audit(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a newcomer does."""
    command = [str(ROOT / "scripts" / "audit-server"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.parametrize("control", ["NET-1", "NET-2", "SSH-1", "TLS-1", "BAK-1", "PUR-1"])
def test_what_is_wrong_is_not_met(report: dict[str, dict[str, Any]], control: str) -> None:
    assert report[control]["status"] == "not met", report[control]


@pytest.mark.parametrize("control", ["ACC-2", "ACC-3", "LOG-1", "LOC-1"])
def test_what_nobody_declared_is_not_assessed(report: dict[str, dict[str, Any]], control: str) -> None:
    assert report[control]["status"] == "not assessed", report[control]


def test_nothing_is_met_that_is_not(report: dict[str, dict[str, Any]]) -> None:
    assert not [name for name, control in report.items() if control["status"] == "met"]


def test_the_reason_names_what_was_seen(report: dict[str, dict[str, Any]]) -> None:
    assert "port 5432" in report["NET-1"]["reason"]
    assert "passwordauthentication" in report["SSH-1"]["reason"]
    assert "everyman" in report["PUR-1"]["reason"]


def test_the_page_says_how_to_mend_it(bundle: Path, report: dict[str, dict[str, Any]]) -> None:
    page = (bundle / "report.html").read_text(encoding="utf-8")
    broken = [name for name, control in report.items() if control["status"] == "not met"]
    assert page.count("The shortest way to mend it:") == len(broken)
    assert "Tried from outside, by the controller itself" in page


def test_the_server_is_as_it_was(server: Machine, state: State, before: str, bundle: Path) -> None:
    assert bundle.exists()
    assert state(server) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody@{address}"], "HOST: nobody gets in as nobody@"),
        (["-p", "70000", "root@{address}"], "-p: 70000 is not allowed; a port from 1 to 65535"),
        (["-i", "/nowhere", "root@{address}"], "-i: /nowhere is not allowed; the file of a private key"),
        (["--domain", "a b", "root@{address}"], "--domain: 'a b' is not allowed"),
        (["root@two words"], "HOST: 'two words' is not allowed; a name or an address"),
    ],
    ids=["nobody", "port", "key", "domain", "host"],
)
def test_what_cannot_be_is_told(server: Machine, login: list[str], words: list[str], said: str) -> None:
    given = [word.format(address=server.addresses[0]) for word in words]
    told = audit(*login[2:-1], *given)
    assert (told.returncode, said in told.stderr) == (2, True), told.stderr


def test_who_may_not_look_at_everything_is_told_so(server: Machine, login: list[str]) -> None:
    told = audit(*login[:-1], f"plain@{server.addresses[0]}")
    assert told.returncode == 2
    assert f"plain@{server.addresses[0]} cannot be audited: plain may not use sudo without a password" in told.stderr
