"""Which mutants are tried this time, and the machine's console to make them on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mutants import objects, operations
from tests.resumable import CHECKOUT, Resumable

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.environment import Environment

HERE = Path(__file__).parent
PLAYBOOKS = HERE.parent / "playbooks"
# Of each control a sample has one.
CONTROLS = ("ACC-1", "NET-1", "NET-2", "SSH-1")
MATRIX = Resumable(
    name="mutants",
    variable="ART32_MUTANTS",
    directory=HERE,
    paths=("plugins", "roles", "controls", "tests/mutants", "molecule/lockout", "molecule/resources"),
)


@cache
def managed(environment: Path) -> list[objects.Object]:
    """What the roles manage on the server, as they note it themselves."""
    with tempfile.TemporaryDirectory(prefix="art32-mutants-") as scratch:
        notes = Path(scratch, "notes")
        notes.mkdir()
        playbook = Path(sys.executable).with_name("ansible-playbook")
        command = [playbook, "-i", environment, PLAYBOOKS / "objects.yml", "-e", f"objects={notes}"]
        settings = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": scratch}
        done = subprocess.run(command, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return objects.read(notes)


def chosen(environment: Path) -> list[operations.Mutant]:
    """The mutants of this run; a sample depends on ART32_SEED alone."""
    everything = operations.mutants(managed(environment))
    if MATRIX.is_whole:
        return everything
    choice = random.Random(MATRIX.seed)  # noqa: S311 - a sample
    return [choice.choice([mutant for mutant in everything if control in mutant.controls]) for control in CONTROLS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the test its mutants."""
    if "mutant" in metafunc.fixturenames:
        found = chosen(Path(metafunc.config.getoption("environment")).resolve())
        metafunc.parametrize("mutant", found, ids=list(map(str, found)))


def pytest_report_header() -> str:
    """Say which sample this is."""
    which = "everything" if MATRIX.is_whole else f"one of each of {', '.join(CONTROLS)}, ART32_SEED={MATRIX.seed}"
    return f"mutants: {which}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what passed already."""
    MATRIX.leave_out_passed(config, items)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what passed."""
    MATRIX.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """When everything has passed with one tree, keep that as a dated result."""
    if not MATRIX.is_whole or exitstatus or session.config.option.collectonly:
        return
    environment = Path(session.config.getoption("environment")).resolve()
    found, made = managed(environment), operations.mutants(managed(environment))
    if len(MATRIX.passed()) < len(made):
        return
    details = {
        "objects": len(found),
        "without_mutant": operations.without_mutant(found),
        "mutants": len(made),
        "shut_out": sum(mutant.shuts_out for mutant in made),
        "operations": {name: sum(m.operation == name for m in made) for name in sorted({m.operation for m in made})},
        "passed": len(MATRIX.passed()),
    }
    MATRIX.write_result("the audit sees every mutant of the way in, and the next run repairs it", details)


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
