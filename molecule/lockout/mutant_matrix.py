"""Which mutants are tried this time, and what became of them all."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.mutants import objects, operations
from tests.resumable import CHECKOUT, Resumable

HERE = Path(__file__).parent
PLAYBOOKS = HERE / "playbooks"
# Of each control a sample has one.
CONTROLS = ("ACC-1", "NET-1", "NET-2", "SSH-1")
# How many are tried in a row, with one audit at the end.
ROW = 6
MATRIX = Resumable(
    name="mutants",
    variable="ART32_MUTANTS",
    tests=("test_mutants.py",),
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


def chosen(environment: Path) -> list[list[operations.Mutant]]:
    """The mutants of this run, in rows; a sample depends on ART32_SEED alone."""
    everything = operations.mutants(managed(environment))
    if MATRIX.is_whole:
        return [everything[start : start + ROW] for start in range(0, len(everything), ROW)]
    choice = random.Random(MATRIX.seed)  # noqa: S311 - a sample
    return [[choice.choice([mutant for mutant in everything if control in mutant.controls]) for control in CONTROLS]]


def header() -> str:
    """Which sample this is."""
    which = "everything" if MATRIX.is_whole else f"one of each of {', '.join(CONTROLS)}, ART32_SEED={MATRIX.seed}"
    return f"mutants: {which}"


def write_result(environment: Path) -> None:
    """When every mutant has passed with one tree, keep that as a dated result."""
    if not MATRIX.passed():
        return
    found, made = managed(environment), operations.mutants(managed(environment))
    if len(MATRIX.passed()) < len(chosen(environment)):
        return
    details = {
        "objects": len(found),
        "without_mutant": operations.without_mutant(found),
        "mutants": len(made),
        "shut_out": sum(mutant.shuts_out for mutant in made),
        "operations": {name: sum(m.operation == name for m in made) for name in sorted({m.operation for m in made})},
        "passed": len(made),
    }
    MATRIX.write_result("the audit sees every mutant of the way in, and the next run repairs it", details)
