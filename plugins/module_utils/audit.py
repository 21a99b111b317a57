# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One audit: every check of the catalogue against an environment, in a process of its own."""

from __future__ import annotations

__all__ = ["STAMP", "AuditError", "audit"]

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]
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
    checks = _run(environment, bundle, kinds, told)
    if not (bundle / "report.json").exists():
        raise AuditError(f"The checks did not run:\n{checks.stdout}{checks.stderr}")
    if not (bundle / "manifest.json.sig").exists():
        raise AuditError(f"The audit is not signed, so it proves nothing:\n{checks.stdout}{checks.stderr}")
    _point_latest_to(bundle)
    return bundle


def _run(environment: Path, bundle: Path, kinds: str, told: str | None) -> subprocess.CompletedProcess[str]:
    options = [f"--environment={environment.resolve()}", f"--evidence={bundle.resolve()}", f"--kinds={kinds}"]
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", *QUIET, *options, str(COLLECTION / "controls")]
    # Whatever other plugins are installed beside pytest, none is needed, and loading them takes longer than a check.
    settings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
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
