"""Whatever is wrong with a managed object: the audit turns exactly the declared controls red, the next run repairs it.

Some mutants in a row share the last audit, which finds nothing any more: what a run had left over of one of them would
be among the next run's changes, each of which has to be about its own mutant.

The objects are those that the roles manage (tests/mutants/objects.py), what is done to them is in operations.py there,
and controls.yml says which controls have to see it.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutant_matrix import MATRIX, PLAYBOOKS

from tests.mutants.trial import Console, audit, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    if "row" in metafunc.fixturenames:
        rows = MATRIX.chosen(Path(metafunc.config.getoption("environment")).resolve())
        metafunc.parametrize("row", rows, ids=[MATRIX.label(row) for row in rows])


@pytest.fixture(scope="session")
def console(declaration: Environment) -> Callable[[str], str]:
    """The machine's console, which works when nobody gets in."""
    return Console(declaration, "server")


@pytest.fixture
def found(declaration: Environment, tmp_path: Path) -> Callable[[], dict[str, list[str]]]:
    """What the audit finds open on the server now."""
    bundles = (tmp_path / str(number) for number in count())
    return lambda: audit(declaration.directory, "server", next(bundles), areas=AREAS)


@pytest.fixture(scope="session")
def saved(console: Callable[[str], str], declaration: Environment) -> None:
    """What has to be put back where no run can, once what a run that was stopped left over is repaired."""
    console(FORGIVE)
    assert repair(declaration.directory, REPAIR).status == 0
    console(SAVE)


@pytest.fixture
def host(console: Callable[[str], str], saved: None) -> Iterator[Callable[[str], str]]:
    """The server's console."""
    yield console
    console("rm -rf /run/mutant*")


def test_audit_sees_the_mutants_and_a_run_repairs_them(
    declaration: Environment,
    host: Callable[[str], str],
    found: Callable[[], dict[str, list[str]]],
    row: Sequence[Mutant],
) -> None:
    problems = {}
    for mutant in row:
        host(FORGIVE)
        try:
            try_out(mutant, declaration.directory, host, found)
        except AssertionError as problem:
            problems[str(mutant)] = str(problem)
            host(f"{RESTORE}; {FORGIVE}")
            repair(declaration.directory, REPAIR)
    assert not problems, "\n".join(f"{mutant}: {problem}" for mutant, problem in problems.items())
    assert found() == {}


def try_out(
    mutant: Mutant, environment: Path, host: Callable[[str], str], found: Callable[[], dict[str, list[str]]]
) -> None:
    """Break, audit and repair."""
    host(mutant.script)
    red = found()
    if mutant.shuts_out:
        host(f"{RESTORE}; {FORGIVE}")
        assert set(red) == ALL_RED, red
        assert all(": not assessed: " in line for lines in red.values() for line in lines), red
    repaired = repair(environment, REPAIR)
    assert repaired.status == 0, repaired.output
    if not mutant.shuts_out:
        assert set(red) == mutant.controls, red
        assert repaired.changes, f"the run changed nothing:\n{repaired.output}"
        others = [line for line in repaired.changes if line[0] != mutant.subject.role or not mutant.concerns(line[1])]
        assert not others, others
