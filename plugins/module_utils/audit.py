# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One audit: every check of the catalogue against an environment, in a process of its own."""

from __future__ import annotations

__all__ = ["STAMP", "AuditError", "audit", "checks"]

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLECTION = Path(__file__).resolve().parents[2]
CONTROLS = COLLECTION / "controls"
STAMP = "%Y%m%dT%H%M%SZ"
QUIET = ("-q", "--tb=no", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:unraisableexception")


class AuditError(Exception):
    """There is no bundle that proves anything; the message has what the checks said."""


def audit(environment: Path, directory: Path, kinds: str, told: str | None = None) -> Path:
    """Let pytest run the checks, and write a bundle of its own in a directory, to which `latest` points then.

    `told` is what `ansible-inventory --list` says of the environment, for whoever has read it already.

    Raises AuditError when the checks did not run, or what they found is not signed.
    """
    bundle = directory / datetime.now(tz=UTC).strftime(STAMP)
    done = checks(environment, bundle, f"--kinds={kinds}", told=told)
    if not (bundle / "report.json").exists():
        raise AuditError(f"The checks did not run:\n{done.stdout}{done.stderr}")
    if not (bundle / "manifest.json.sig").exists():
        raise AuditError(f"The audit is not signed, so it proves nothing:\n{done.stdout}{done.stderr}")
    _point_latest_to(bundle)
    return bundle


def checks(
    environment: Path, bundle: Path, *options: str, told: str | None = None, areas: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Let pytest run the checks of these areas (`controls/test_AREA.py`), or all, and write a bundle."""
    given = [f"--environment={environment.resolve()}", f"--evidence={bundle.resolve()}", *options]
    files = [str(CONTROLS / f"test_{area}.py") for area in areas] or [str(CONTROLS)]
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", *QUIET, *given, *files]
    # Whatever other plugins are installed beside pytest, none is needed, and loading them takes longer than a check.
    settings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as inventory:  # it has no name: the vault's secrets are in it
        if told is not None:
            inventory.write(told)
            inventory.seek(0)
            command.append(f"--inventory-from={inventory.fileno()}")
        return subprocess.run(
            command,
            cwd=COLLECTION,
            capture_output=True,
            text=True,
            check=False,
            env=settings,
            pass_fds=[inventory.fileno()],
        )


def _point_latest_to(bundle: Path) -> None:
    """Let `latest` be this bundle, without a moment in which there is none."""
    fresh = bundle.parent / f".latest-{bundle.name}"
    fresh.symlink_to(bundle.name)
    fresh.replace(bundle.parent / "latest")
