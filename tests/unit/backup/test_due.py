"""Which kind of backup is due, by what the repository has."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/backup/files/usr/local/lib/art32/backup"
HOUR = 3600
DAY = 24 * HOUR
NOW = 1_800_000_000


def made(kind: str, age: float, *, error: bool = False) -> dict[str, Any]:
    """A backup as `pgbackrest info` lists it, of this age in seconds."""
    return {"type": kind, "error": error, "timestamp": {"start": NOW - age, "stop": NOW - age + 60}}


@pytest.mark.parametrize(
    ("backups", "kind"),
    [
        ([], "full"),
        ([made("full", HOUR)], "incr"),
        ([made("full", 23 * HOUR)], "incr"),
        ([made("full", DAY)], "diff"),
        ([made("full", DAY - 5 * 60)], "diff"),  # the timer's jitter must not cost an hour
        ([made("full", 2 * DAY), made("diff", HOUR)], "incr"),
        ([made("full", 2 * DAY), made("diff", DAY), made("incr", HOUR)], "diff"),
        ([made("full", 7 * DAY), made("diff", HOUR)], "full"),
        ([made("full", 7 * DAY - 5 * 60), made("incr", HOUR)], "full"),
        ([made("full", 8 * DAY), made("full", HOUR)], "incr"),
        ([made("full", HOUR, error=True)], "full"),
        ([made("diff", HOUR)], "full"),
    ],
)
def test_what_is_due(backups: list[dict[str, Any]], kind: str) -> None:
    due = run_path(str(PROGRAM))["due"]
    assert due(backups, now=NOW, full_after=7 * DAY, differential_after=DAY) == kind
