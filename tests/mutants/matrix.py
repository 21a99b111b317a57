"""Which mutants of some roles are tried this time, and what became of them all."""

from __future__ import annotations

__all__ = ["Mutants"]

import hashlib
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.resumable import CHECKOUT, Resumable

from . import objects, operations

if TYPE_CHECKING:
    from collections.abc import Sequence

# How many are tried in a row, with one last look at the end.
ROW = 12


@dataclass(frozen=True, kw_only=True)
class Mutants(Resumable):
    """The mutants of what some roles manage; `notes` is the playbook that has the roles note it."""

    notes: Path
    roles: tuple[str, ...]
    what: str
    # Of each of these controls a sample has one; where none is named, it has one mutant.
    controls: tuple[str, ...] = ()

    def managed(self, environment: Path) -> list[objects.Object]:
        """What the roles manage on the hosts, as they note it themselves."""
        return [one for one in _noted(self.notes, environment) if one.role in self.roles]

    def chosen(self, environment: Path) -> list[list[operations.Mutant]]:
        """The mutants of this run, in rows; a sample depends on ART32_SEED alone."""
        everything = operations.mutants(self.managed(environment))
        if self.is_whole:
            return [everything[start : start + ROW] for start in range(0, len(everything), ROW)]
        choice = random.Random(self.seed)  # noqa: S311 - a sample
        of_each = [[mutant for mutant in everything if control in mutant.controls] for control in self.controls]
        return [[choice.choice(found) for found in of_each or [everything]]]

    @staticmethod
    def label(row: Sequence[operations.Mutant]) -> str:
        """The name of a row, other when other controls are expected of it."""
        expected = [(str(mutant), sorted(mutant.controls), mutant.shuts_out) for mutant in row]
        return f"{row[0]} to {row[-1]}, {hashlib.sha256(repr(expected).encode()).hexdigest()[:8]}"

    def header(self) -> str:
        """Which sample this is."""
        sample = f"one of each of {', '.join(self.controls) or 'all'}, ART32_SEED={self.seed}"
        return f"{self.name}: {'everything' if self.is_whole else sample}"

    def conclude(self, environment: Path) -> None:
        """When every mutant has passed with one tree, keep that as a dated result."""
        passed = self.passed()
        if not passed:
            return
        found, made = self.managed(environment), operations.mutants(self.managed(environment))
        if any(not any(self.label(row) in nodeid for nodeid in passed) for row in self.chosen(environment)):
            return
        details = {
            "objects": len(found),
            "without_mutant": operations.without_mutant(found),
            "mutants": len(made),
            "shut_out": sum(mutant.shuts_out for mutant in made),
            "operations": {
                name: sum(m.operation == name for m in made) for name in sorted({m.operation for m in made})
            },
            "passed": len(made),
        }
        self.write_result(self.what, details)


@cache
def _noted(notes: Path, environment: Path) -> list[objects.Object]:
    with tempfile.TemporaryDirectory(prefix="art32-mutants-") as scratch:
        kept = Path(scratch, "notes")
        playbook = Path(sys.executable).with_name("ansible-playbook")
        command = [str(playbook), "-i", str(environment), str(notes), "-e", f"objects={kept}"]
        settings = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": scratch}
        done = subprocess.run(command, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [one for host in sorted(kept.iterdir()) for one in objects.read(host, host.name)]
