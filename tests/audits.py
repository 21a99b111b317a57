"""The audit's checks, run as a process of their own against an environment of test hosts."""

from __future__ import annotations

__all__ = ["run"]

import os
import subprocess
import sys
import tempfile
from functools import cache
from typing import TYPE_CHECKING

from .resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECONDS = 900


def run(environment: Path, bundle: Path, *options: str, areas: Sequence[str] = ()) -> None:
    """Let the checks of these areas, or all, write a bundle; nothing is signed.

    What the environment declares is asked for once. Raises AssertionError with what pytest said when nothing is judged.
    """
    files = [f"controls/test_{area}.py" for area in areas] or ["controls"]
    command = [sys.executable, "-m", "pytest", "-q", *("-p", "controls.plugin", "-p", "no:cacheprovider"), *options]
    command += files
    settings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    with tempfile.TemporaryFile() as inventory:  # it has no name: the vault's secrets are in it
        inventory.write(_told(environment))
        inventory.seek(0)
        command += [f"--environment={environment}", f"--evidence={bundle}", f"--inventory-from={inventory.fileno()}"]
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=settings,
            pass_fds=[inventory.fileno()],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    assert (bundle / "report.json").exists(), done.stdout + done.stderr


@cache
def _told(environment: Path) -> bytes:
    command = ["ansible-inventory", "--inventory", str(environment), "--list"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True).stdout
