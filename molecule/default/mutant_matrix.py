"""The mutants of everything behind the way in, in parts that each take less than an hour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.matrix import Mutants

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAYBOOKS = Path(__file__).parent / "playbooks"
# Of each part: the roles, as their transactions are named, and the playbook that repairs what they manage.
PARTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "database": (("postgresql",), "database"),
    "web": (("nginx", "certbot"), "web"),
    "services": (("app",), "app"),
    "backup": (("backup", "backup_account"), "backup"),
    "watch": (("watch", "watch_program", "watch_observed"), "watch"),
}

# A row says itself what is expected of it.
PATHS = (
    *("plugins", "roles", "controls", "tests/mutants", ":!tests/mutants/controls.yml", "molecule/resources"),
    *(
        "molecule/default/*.yml",
        "molecule/default/playbooks",
        "molecule/default/vars",
        "molecule/default/test_mutants.py",
    ),
)


def _part(name: str) -> Mutants:
    roles, _ = PARTS[name]
    return Mutants(
        name=f"mutants-{name}",
        variable=f"ART32_MUTANTS_{name.upper()}",
        tests=("test_mutants.py",),
        paths=PATHS,
        notes=PLAYBOOKS / "objects.yml",
        roles=roles,
        what=f"the audit sees every mutant of {', '.join(roles)}, and the next run repairs it",
    )


MATRICES = {name: _part(name) for name in PARTS}
# Those that are tried: the whole ones, or else a sample of each.
TRIED = {name: matrix for name, matrix in MATRICES.items() if matrix.is_whole} or MATRICES
