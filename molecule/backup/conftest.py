"""What tests begin with, and which long ones are tried: a sample by ART32_SEED, or all with ART32_BACKUP=all."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from units import BACKUP, CHECK, DATABASE_CHECK, TIMER, last_words, run

from tests.resumable import Resumable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

MATRIX = Resumable(
    name="backup",
    variable="ART32_BACKUP",
    tests=("test_alarm.py", "test_attack.py", "test_backup.py", "test_damage.py", "test_day.py", "test_room.py"),
    paths=("plugins", "roles/backup", "roles/postgresql", "molecule/backup", "molecule/resources"),
)
FLIPS, FEW_FLIPS = 100, 3


def pytest_report_header() -> list[str]:
    """Say which sample this is, and by what the long tests draw."""
    return [f"backup: {'everything' if MATRIX.is_whole else 'a sample'}, ART32_SEED={MATRIX.seed}"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "long: takes minutes; tried with ART32_BACKUP=all alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the flips their seeds."""
    if "flip" in metafunc.fixturenames:
        choice = random.Random(MATRIX.seed)  # noqa: S311 - a sample
        numbers = range(FLIPS) if MATRIX.is_whole else sorted(choice.sample(range(FLIPS), FEW_FLIPS))
        metafunc.parametrize("flip", [f"{MATRIX.seed}-{number}" for number in numbers])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, or what passed already."""
    MATRIX.leave_out_passed(config, items)
    left = [] if MATRIX.is_whole else [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what passed, and how many seconds it took."""
    MATRIX.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """When everything has passed with one tree, keep that as a dated result."""
    passed = MATRIX.passed()
    if not passed or exitstatus or session.config.option.keyword:
        return
    details = {
        "seed": MATRIX.seed,
        "flips": sum("test_a_flipped_byte" in name for name in passed),
        "firings": 24 * sum("test_a_day" in name for name in passed),
        "passed": len(passed),
    }
    MATRIX.write_result("backups through a day, under faults, and with damaged files", details)


@pytest.fixture
def whole() -> bool:
    """Whether what takes minutes is tried."""
    return MATRIX.is_whole


@pytest.fixture(scope="module")
def by_hand(backup: Machine) -> Iterator[None]:
    """The hourly backup does not come in between; its timer goes on waiting."""
    place = "/run/systemd/system/art32-backup@.timer.d"
    never = "[Timer]\nOnCalendar=\nOnCalendar=2199-01-01\n"
    backup.check_output("mkdir -p %s; printf %%s %s >%s/test.conf", place, never, place)
    restart = f"systemctl daemon-reload; systemctl restart {TIMER}"
    backup.check_output(restart)
    try:
        assert run(backup, BACKUP), last_words(backup, BACKUP)
        yield
    finally:
        backup.check_output(f"rm -r %s; {restart}", place)


@pytest.fixture
def well(by_hand: None, server: Machine, backup: Machine) -> None:
    """Begin where all is well."""
    if not run(backup, CHECK):
        assert run(backup, BACKUP), last_words(backup, BACKUP)
        assert run(backup, CHECK), last_words(backup, CHECK)
    assert run(server, DATABASE_CHECK), last_words(server, DATABASE_CHECK)
