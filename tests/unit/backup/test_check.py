"""What is said about backups, drills and the archive, by what there is."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from controls.judges import backups as judge

PROGRAMS = Path(__file__).parents[3] / "roles/backup/files/usr/local/lib/art32"
NOW = 1_800_000_000
MINUTE = 60
WELL: dict[str, Any] = {"now": NOW, "allowed": 90, "timer": "active", "free": 50}


def made(label: str, age: float) -> dict[str, Any]:
    """A complete backup as `pgbackrest info` lists it, of this age in minutes."""
    return {"label": label, "error": False, "timestamp": {"start": 0, "stop": NOW - age * MINUTE}}


@pytest.mark.parametrize(
    ("backups", "verified", "change", "said"),
    [
        ([made("a", 50)], {"label": "a"}, {}, []),
        ([], {}, {}, ["No backup was ever completed."]),
        ([{**made("a", 5), "error": True}], {"label": "a"}, {}, ["No backup was ever completed."]),
        ([made("a", 5)], {}, {}, ["No backup was ever read back."]),
        ([made("a", 5)], {"label": "b"}, {}, ["The newest backup that was read back, b, is gone."]),
        ([made("a", 120), made("b", 5)], {"label": "a"}, {}, ["120 min old; 90 min are allowed"]),
        ([made("a", 5)], {"label": "a"}, {"timer": "inactive"}, ["The timer is inactive."]),
        ([made("a", 5)], {"label": "a"}, {"free": 9}, ["9 % left; 10 % are wanted"]),
    ],
)
def test_what_is_wrong_with_backups(
    backups: list[dict[str, Any]], verified: dict[str, Any], change: dict[str, Any], said: list[str]
) -> None:
    problems = run_path(str(PROGRAMS / "backup-check"))["problems"]
    found = problems(backups, verified, **(WELL | change))
    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("told", "damaged"),
    [
        ("stanza: server\nstatus: ok\n  backup: x, status: valid, total files checked: 3, total valid files: 3", False),
        ("total WAL checked: 4\n missing: 0, checksum invalid: 0, size invalid: 0, other: 0", False),
        ("  archiveId: 17-1, total WAL checked: 6, total valid WAL: 5\n    missing: 1, checksum invalid: 0", False),
        ("  archiveId: 17-1, total WAL checked: 6, total valid WAL: 5\n    missing: 1, checksum invalid: 1", True),
        ("  backup: x, status: invalid, total files checked: 1261\n    checksum invalid: 1", True),
        ("    missing: 0, checksum invalid: 0, size invalid: 2, other: 0", True),
        ("    other: 1", True),
        ("P00   WARN: unable to open missing file", True),
        ("P00 DETAIL: archiveId: 17-1, wal start: 000000010000000000000001, wal stop: 000000010000000000000004", False),
        ("P00 DETAIL: path '17-1/0000000100000001' does not contain any valid WAL to be processed", False),
        ("P00 DETAIL: archive path '15-1' is empty", False),
        ('P00 DETAIL: statistics: {"http.client":{"total":1},"tls.session":{"total":11}}', False),
        ("P00 DETAIL: missing '=' in key/value at line 10", True),
        ("P00 DETAIL: archive.info.copy does not match archive.info", True),
        ("P00 DETAIL: 20261126-130903F/backup.manifest is missing or unusable, using copy", True),
    ],
)
def test_what_counts_as_damage(told: str, damaged: bool) -> None:
    assert run_path(str(PROGRAMS / "backup-verify"))["is_damaged"](told) is damaged


REPORT = {"passed": True, "reason": "", "time": "2026-11-20T03:30:00+00:00", "databases": {"platform": {"tables": 3}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"passed": False, "reason": "gone"}, ["failed: gone"]),
        ({"time": "2026-11-01T03:30:00+00:00"}, ["22 days old; allowed: 8 (backup_drill_max_age_days)"]),
        ({"time": "2026-11-22T03:30:00+00:00"}, []),
        ({"databases": {"platform": {"tables": 0}}}, ["compared no table"]),
        ({"databases": {}}, ["compared no table"]),
    ],
)
def test_what_is_wrong_with_a_drill(change: dict[str, Any], said: list[str]) -> None:
    now = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    found = judge.drill_problems(REPORT | change, now=now, allowed=timedelta(days=8))
    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_sealing_follows_no_link_and_takes_no_second_name(tmp_path: Path) -> None:
    seal = run_path(str(PROGRAMS / "backup-seal"))["seal"]
    outside, place = tmp_path / "outside", tmp_path / "archive" / "0001"
    place.mkdir(parents=True)
    outside.write_text("somebody else's", encoding="utf-8")
    for name in ("plain", "half.pgbackrest.tmp"):
        (place / name).write_text(name, encoding="utf-8")
    (place / "link").symlink_to(outside)
    (place / "second").hardlink_to(outside)
    os.mkfifo(place / "pipe")
    strange = seal(tmp_path / "archive", owner=4711, group=4712, directory_mode=0o3770)
    assert sorted(Path(path).name for path in strange) == ["link", "pipe", "second"]
    assert (place / "plain").stat().st_uid == 4711
    assert place.stat().st_mode & 0o7777 == 0o3770
    assert outside.stat().st_uid == 0
    assert (place / "half.pgbackrest.tmp").stat().st_uid == 0
