"""The audit's checks against an environment of test hosts, without a signature."""

from __future__ import annotations

__all__ = ["run"]

import subprocess
from functools import cache
from typing import TYPE_CHECKING

from plugins.module_utils.audit import checks

from .resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(environment: Path, bundle: Path, *options: str, areas: Sequence[str] = ()) -> None:
    """Let the checks of these areas, or all, write a bundle; what the environment declares is asked for once.

    Raises AssertionError with what pytest said when nothing is judged.
    """
    done = checks(environment, bundle, *options, told=_told(environment), areas=areas)
    assert (bundle / "report.json").exists(), done.stdout + done.stderr


@cache
def _told(environment: Path) -> str:
    command = ["ansible-inventory", "--inventory", str(environment), "--list"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
