# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One audit: every check of the catalogue against an environment, in a process of its own."""

from __future__ import annotations

__all__ = ["STAMP", "AuditError", "audit"]

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]
STAMP = "%Y%m%dT%H%M%SZ"
QUIET = ("-q", "--tb=no", "--no-header", "--no-summary", "-p", "no:cacheprovider")


class AuditError(Exception):
    """There is no bundle that proves anything; the message has what the checks said."""


def audit(environment: Path, directory: Path, kinds: str) -> Path:
    """Let pytest run the checks, and write a bundle of its own in a directory, to which `latest` points then.

    Raises AuditError when the checks did not run, or what they found is not signed.
    """
    bundle = directory / datetime.now(tz=UTC).strftime(STAMP)
    told = _run(environment, bundle, kinds)
    if not (bundle / "report.json").exists():
        raise AuditError(f"The checks did not run:\n{told.stdout}{told.stderr}")
    if not (bundle / "manifest.json.sig").exists():
        raise AuditError(f"The audit is not signed, so it proves nothing:\n{told.stdout}{told.stderr}")
    _point_latest_to(bundle)
    return bundle


def _run(environment: Path, bundle: Path, kinds: str) -> subprocess.CompletedProcess[str]:
    options = [f"--environment={environment.resolve()}", f"--evidence={bundle.resolve()}", f"--kinds={kinds}"]
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", *QUIET, *options, str(COLLECTION / "controls")]
    # Whatever other plugins are installed beside pytest, none is needed, and loading them takes longer than a check.
    settings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=COLLECTION, capture_output=True, text=True, check=False, env=settings)


def _point_latest_to(bundle: Path) -> None:
    """Let `latest` be this bundle, without a moment in which there is none."""
    fresh = bundle.parent / f".latest-{bundle.name}"
    fresh.symlink_to(bundle.name)
    fresh.replace(bundle.parent / "latest")
