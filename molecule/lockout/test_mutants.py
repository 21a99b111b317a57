"""Whatever is wrong with a managed object: the audit turns exactly the declared controls red, the next run repairs it.

The objects are those that the roles manage (tests/mutants/objects.py), what is done to them is in operations.py there,
and controls.yml says which controls have to see it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutant_matrix import PLAYBOOKS, chosen

from tests.mutants.trial import audit, repair
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment
    from tests.mutants.operations import Mutant

REPAIR = PLAYBOOKS / "way_in.yml"
# Whose checks are about the way in, or look at the same things.
AREAS = ("network", "ssh", "people", "database")
ALL_RED = {"ACC-1", "DB-1", "NET-1", "NET-2", "PUR-1", "SSH-1"}
TOUCHED = "etc/ssh etc/ufw etc/default etc/sudoers etc/sudoers.d etc/systemd/system usr/local/lib/art32"
SAVE = f"tar -C / -cf /root/way-in.tar {TOUCHED}"
RESTORE = "tar -C / -xpf /root/way-in.tar; systemctl daemon-reload; /usr/local/lib/art32/firewall load"
# Debian 13's sshd shuts out sources that keep failing, as the audit's bare key does.
FORGIVE = "systemctl reset-failed ssh.service; systemctl restart ssh.service"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the test its mutants."""
    if "mutant" in metafunc.fixturenames:
        found = chosen(Path(metafunc.config.getoption("environment")).resolve())
        metafunc.parametrize("mutant", found, ids=list(map(str, found)))


@pytest.fixture(scope="session")
def console(declaration: Environment) -> Callable[[str], str]:
    """The machine's console, which works when nobody gets in."""
    container = f"{declaration.get('testhosts_prefix')}-server"
    settings = {**os.environ, "CONTAINERS_CONF": str(CHECKOUT / "molecule" / "resources" / "containers.conf")}

    def run(script: str) -> str:
        command = ["podman", "exec", "-i", container, "sh", "-es"]
        done = subprocess.run(command, input=script, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def found(declaration: Environment, tmp_path: Path) -> Callable[[], dict[str, list[str]]]:
    """What the audit finds open on the server now."""
    bundles = (tmp_path / str(number) for number in range(9))
    return lambda: audit(declaration.directory, AREAS, "server", next(bundles))


@pytest.fixture(scope="session")
def saved(console: Callable[[str], str]) -> None:
    """What has to be put back where no run can."""
    console(SAVE)


@pytest.fixture
def host(
    console: Callable[[str], str], declaration: Environment, saved: None, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], str]]:
    """The server's console; when a test fails, the server is put right for the next one."""
    console(FORGIVE)
    before = request.session.testsfailed
    yield console
    console("rm -rf /run/mutant*")
    if request.session.testsfailed > before:
        console(f"{RESTORE}; {FORGIVE}")
        repair(declaration.directory, REPAIR)


def test_audit_sees_the_mutant_and_a_run_repairs_it(
    declaration: Environment,
    host: Callable[[str], str],
    found: Callable[[], dict[str, list[str]]],
    mutant: Mutant,
) -> None:
    host(mutant.script)
    red = found()
    if mutant.shuts_out:
        host(f"{RESTORE}; {FORGIVE}")
        assert set(red) == ALL_RED
        assert all(": not assessed: " in line for lines in red.values() for line in lines), red
    repaired = repair(declaration.directory, REPAIR)
    assert repaired.status == 0, repaired.output
    if not mutant.shuts_out:
        assert set(red) == mutant.controls, red
        assert repaired.changes, f"the run changed nothing:\n{repaired.output}"
        others = [line for line in repaired.changes if line[0] != mutant.subject.role or not mutant.concerns(line[1])]
        assert not others, others
    assert found() == {}
