"""The mutants of the way in."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.matrix import Mutants

PLAYBOOKS = Path(__file__).parent / "playbooks"
MATRIX = Mutants(
    name="mutants",
    variable="ART32_MUTANTS",
    tests=("test_mutants.py",),
    paths=(
        *(
            "plugins",
            "roles",
            "controls",
            "tests/mutants",
            ":!tests/mutants/controls.yml",
        ),  # a row says what it expects
        *("molecule/lockout", "molecule/resources"),
    ),
    notes=PLAYBOOKS / "objects.yml",
    roles=("base", "firewall", "sshd"),
    controls=("ACC-1", "NET-1", "NET-2", "SSH-1"),
    what="the audit sees every mutant of the way in, and the next run repairs it",
)
