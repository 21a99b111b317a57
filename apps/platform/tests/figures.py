"""What `make test-full PART=promises` leaves, dated, in bench/results/: each broken promise, and what turned red.

A plugin of tests/conftest.py: with several workers, the one process that hears of every test writes it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["MUTATIONS", "Figures", "pytest_configure"]

ROOT = Path(__file__).parents[3]
MUTATIONS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("mutations.toml").read_text(encoding="utf-8"))[
    "mutation"
]


class Figures:
    """Hears of every test, and keeps what those about mutations say."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.red: dict[str, dict[str, int]] = {}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep how many reasons each control had, by the name of the mutation."""
        said: dict[str, Any] = dict(report.user_properties)  # type: ignore[arg-type] # pairs, typed as objects
        if "mutation" in said and report.when == "call":
            self.red[said["mutation"]] = said["red"]
        if report.failed:
            self.failed.append(report.nodeid.rpartition("::")[2])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write it, when every mutation was tried."""
        if hasattr(session.config, "workerinput") or not {one["name"] for one in MUTATIONS} <= self.red.keys():
            return
        now = datetime.now(tz=UTC)
        tree = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
        result = {
            "what": "each promise broken in the platform's code: which control turned red, for how many reasons",
            "time": now.isoformat(timespec="seconds"),
            "tree": subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip(),
            "python": platform.python_version(),
            "mutations": len(self.red),
            "failed": self.failed,
            "red": {one["name"]: self.red[one["name"]] for one in MUTATIONS},
        }
        path = ROOT / "bench" / "results" / f"{now:%Y-%m-%d}-promises.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Listen in the long run only."""
    if os.environ.get("ART32_LONG"):
        config.pluginmanager.register(Figures())
