"""Results that are kept with the day, the tree and the computer that they were found with."""

from __future__ import annotations

__all__ = ["RESULTS", "keep"]

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
# What was measured before changes nothing of what is measured.
BESIDE = ":(exclude)bench/results"


def keep(name: str, what: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write a result as bench/results/DAY-NAME.json; all that it has then."""
    now = datetime.now(UTC)
    about = {
        "what": what,
        "time": now.isoformat(timespec="seconds"),
        "tree": _tree(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    result = {**about, **found}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d}-{name}.json"
    path.write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")
    return result


def _tree() -> str:
    """The commit that is measured, marked when the working tree differs from it."""
    commit = _git("describe", "--always", "--abbrev=12")
    return f"{commit}-dirty" if _git("status", "--porcelain", "--", ".", BESIDE) else commit


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
