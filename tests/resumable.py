"""A long matrix of tests that goes on where it was stopped: what passed with this very tree is not tried again."""

from __future__ import annotations

__all__ = ["Resumable"]

import hashlib
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Resumable:
    """The matrix `name` in some files of tests; `variable` says `all` when it is tried whole, and not a sample.

    What passed counts as long as the named paths of the tree stay as they are.
    """

    name: str
    variable: str
    tests: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def release(self) -> str:
        """The release of Debian that it runs on."""
        return os.environ.get("ART32_RELEASE", "trixie")

    @property
    def is_whole(self) -> bool:
        """Whether everything is tried."""
        return os.environ.get(self.variable) == "all"

    @property
    def seed(self) -> int:
        """What a sample is drawn by: named, or the day."""
        return int(os.environ.get("ART32_SEED", time.time() // 86400))

    def leave_out_passed(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Take out of the items what passed already."""
        passed = self.passed()
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]

    def note(self, report: pytest.TestReport) -> None:
        """Keep what passed, if it is one of the matrix."""
        if self.is_whole and report.when == "call" and report.passed and self._has(report):
            self._keep(report.nodeid, round(report.duration, 1))

    def passed(self) -> dict[str, float]:
        """What passed already, and in how many seconds; nothing of a sample counts."""
        if not self.is_whole or not self._kept.exists():
            return {}
        kept = json.loads(self._kept.read_text(encoding="utf-8"))
        return dict(kept["passed"]) if kept["tree"] == self.tree() else {}

    def _has(self, report: pytest.TestReport) -> bool:
        return Path(report.fspath).name in self.tests

    def _keep(self, nodeid: str, seconds: float) -> None:
        passed = {**self.passed(), nodeid: seconds}
        self._kept.parent.mkdir(exist_ok=True)
        self._kept.write_text(json.dumps({"tree": self.tree(), "passed": passed}), encoding="utf-8")

    def write_result(self, what: str, details: Mapping[str, Any]) -> None:
        """Keep as a dated result that everything has passed with one tree."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        result = {"what": f"{what}, on {self.release}", "time": now, "tree": self.tree()[:12], **details}
        path = CHECKOUT / "bench" / "results" / f"{now[:10]}-{self.name}-{self.release}.json"
        path.write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")

    def tree(self) -> str:
        """A digest of the paths as they are now."""
        commands = (["git", "ls-files", "-s", *self.paths], ["git", "diff", "HEAD", "--", *self.paths])
        told = [subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=False).stdout for command in commands]
        return hashlib.sha256(b"".join(told)).hexdigest()

    @property
    def _kept(self) -> Path:
        return CHECKOUT / ".cache" / f"{self.name}-{self.release}.json"
