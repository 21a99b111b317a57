# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The owner of a service's database may log in only while a migration runs."""

from __future__ import annotations

__all__ = ["may_login", "revoke_login"]

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .model import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60


@contextmanager
def may_login(owner: str, note: Path) -> Iterator[None]:
    """Let the owner log in for the duration; `note` is a file that outlives this process if it is killed.

    A service without a database has no owner; the note then tells of its migration alone.
    """
    note.write_text(f"{owner}\n", encoding="utf-8")
    try:
        if owner:
            _alter(owner, "LOGIN")
        yield
    finally:
        revoke_login(note)


def revoke_login(note: Path) -> None:
    """End the login that the note tells of, the open sessions as well."""
    owner = note.read_text(encoding="utf-8").strip()
    if owner:
        _alter(owner, "NOLOGIN")
    note.unlink()


def _alter(owner: str, attribute: str) -> None:
    quoted = owner.replace('"', '""')
    literal = owner.replace("'", "''")
    statements = [f'ALTER ROLE "{quoted}" {attribute}']
    if attribute == "NOLOGIN":
        sessions = f"FROM pg_stat_activity WHERE usename = '{literal}'"
        statements.append(f"SELECT pg_terminate_backend(pid) {sessions}")
    orders = [word for statement in statements for word in ("--command", statement)]
    command = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--set",
        "ON_ERROR_STOP=1",
        "--dbname",
        "postgres",
        *orders,
    ]
    environment = {"PATH": "/usr/bin:/bin", "PGAPPNAME": "art32 release"}
    try:
        subprocess.run(
            command,
            user="postgres",
            group="postgres",
            extra_groups=[],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"{owner} {attribute}: {error.stderr.strip()}") from error
    except (OSError, LookupError, ValueError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{owner} {attribute}: {error}") from error
