"""Which mutants are tried this time, and whether the scanners are run, which take minutes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mutant_matrix import TRIED

if TYPE_CHECKING:
    import pytest


SCANS = "test_scan.py"


def pytest_report_header() -> list[str]:
    """Say which sample this is."""
    return [matrix.header() for matrix in TRIED.values()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what passed already, and the scanners where they are not asked for."""
    for matrix in TRIED.values():
        matrix.leave_out_passed(config, items)
    if os.environ.get("ART32_SCAN") != "all":
        config.hook.pytest_deselected(items=[item for item in items if item.path.name == SCANS])
        items[:] = [item for item in items if item.path.name != SCANS]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what passed."""
    for name, matrix in TRIED.items():
        if f"[{name}: " in report.nodeid:
            matrix.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """When everything has passed with one tree, keep that as a dated result."""
    if not exitstatus:
        for matrix in TRIED.values():
            matrix.conclude(Path(session.config.getoption("environment")).resolve())
