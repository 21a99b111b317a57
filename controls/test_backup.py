"""BAK-1: a fresh, encrypted copy on another machine, and every change on its way there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from . import bucket
from . import declared as release
from .judges import backups
from .marks import control, not_assessed

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

WAITING = timedelta(minutes=15)  # three times the default of postgresql_archive_timeout


@pytest.fixture
def sources(backup: Machine, declaration: Environment) -> list[str]:
    """The hosts whose databases are backed up by this one."""
    return declaration.backed_up_by(backup.name)


@pytest.fixture
def repository(backup: Machine) -> list[dict[str, Any]]:
    """What pgBackRest says of its repository."""
    found: list[dict[str, Any]] = backup.observed("repository").json()
    return found


@control("BAK-1")
def test_newest_verified_backup_is_young_enough(
    backup: Machine, repository: list[dict[str, Any]], sources: list[str], now: datetime
) -> None:
    allowed = timedelta(minutes=backup.variable("audit_backup_max_age_minutes", 90))
    for host in sources:
        verified = backup.observed(f"backup-verified-{host}")
        assert verified.rc == 0, f"No backup of {host} was ever read back."
        try:
            newest = backups.newest(repository, host, label=verified.json()["label"])
        except backups.BackupError as error:
            raise AssertionError(f"There is no backup that counts: {error}.") from error
        age = now - newest.ended
        told = f"The newest backup of {host} that was read back is {age.total_seconds() / 60:.0f} min old"
        limit = f"{allowed.total_seconds() / 60:.0f} min are allowed (audit_backup_max_age_minutes)"
        assert age <= allowed, f"{told}; {limit}."


@control("BAK-1")
def test_backups_are_encrypted(backup: Machine, repository: list[dict[str, Any]], sources: list[str]) -> None:
    plain = [host for host in sources if not backups.is_encrypted(repository, host)]
    assert not plain, f"The backups of {', '.join(plain)} are not encrypted."


@control("BAK-1")
def test_repository_is_out_of_the_servers_hands(backup: Machine, sources: list[str], declaration: Environment) -> None:
    if declaration.backs_up_to_bucket:
        written = backup.observed("backup-bucket").text.splitlines()
        name, wanted = declaration.get("backup_s3_bucket"), declaration.get("backup_s3_lock_days")
        assert f"repo1-s3-bucket={name}" in written, f"pgBackRest does not write to the bucket {name}."
        problems = bucket.asked(backup.lab).problems(wanted)
        assert not problems, f"Of the bucket {name}: {'; '.join(problems)}."
        return
    backup.lab.declared("repository", backup_repository=declaration.hosts("backup"), database=sources)
    assert backup.name not in sources, f"{backup.name} keeps the backups of its own database."


@control("BAK-1")
def test_timer_makes_backups_hourly(backup: Machine, sources: list[str]) -> None:
    for host in sources:
        timer = dict(line.split("=", 1) for line in backup.observed(f"backup-timer-{host}").text.splitlines())
        state = (timer["ActiveState"], timer["UnitFileState"])
        assert state == ("active", "enabled"), f"The timer for {host} is {' and '.join(state)}."
        assert backup.variable("backup_schedule") == "hourly", "backup_schedule is not hourly."
        assert timer["TimersCalendar"].count("*-*-* *:00:00"), f"The timer for {host} fires {timer['TimersCalendar']}."


@control("BAK-1")
def test_every_change_is_archived(database: Machine) -> None:
    running = database.observed("cluster").json()
    archiver = running["archiver"]
    assert running["settings"]["archive_mode"] == "on", "The server does not archive its changes (archive_mode)."
    assert archiver["archived_count"], "The server has not archived anything yet."
    failed, done = archiver["last_failed_time"], archiver["last_archived_time"]
    assert not failed or failed < done, f"Archiving fails since {failed}; last success {done}."
    oldest = running["waiting_since"]
    waited = datetime.fromisoformat(running["now"]) - datetime.fromisoformat(oldest) if oldest else timedelta()
    assert waited <= WAITING, f"Changes wait to be archived since {oldest}."


@control("BAK-1")
def test_last_restore_drill_passed(database: Machine, now: datetime) -> None:
    report = database.observed("restore-drill")
    assert report.rc == 0, "No restore was ever tried."
    allowed = timedelta(days=database.variable("backup_drill_max_age_days"))
    found = backups.drill_problems(report.json(), now=now, allowed=allowed)
    assert not found, "; ".join(found)


@control("BAK-1", kind="exercise")
def test_restore_has_every_row(database: Machine, declaration: Environment) -> None:
    names = [service["database"] for service in declaration.services if service["database"]]
    if not names:
        not_assessed("no service has a database")
    restored = database.restore_drill(names)
    assert restored.rc == 0, f"The restore failed: {restored.stderr.strip()[-300:]}"
    found = restored.json()
    for name in names:
        rows = found[name]
        assert rows["restored"], f"The restored {name} has no tables."
        lost = [table for table, count in rows["restored"].items() if not within(count, table, rows)]
        assert not lost, f"The restored {name} differs from the live one in {', '.join(lost)}."


def within(count: int, table: str, rows: dict[str, dict[str, int]]) -> bool:
    """Whether a table has as many rows as the live one had at some moment while the backup's end was fixed."""
    before, after = rows["before"].get(table, 0), rows["after"].get(table, 0)
    return min(before, after) <= count <= max(before, after)


@control("BAK-1")
@pytest.mark.usefixtures("ours")
def test_repository_is_set_up_as_declared(backup: Machine, declaration: Environment) -> None:
    roles = ["backup"] if declaration.backs_up_to_bucket else ["backup", "backup_account"]
    found = [problem for role in roles for problem in release.problems(backup, role)]
    assert not found, f"What makes, checks and keeps backups was changed: {'; '.join(found)}."


@control("BAK-1")
@pytest.mark.usefixtures("ours")
def test_database_hands_its_backups_over_as_declared(database: Machine) -> None:
    found = release.problems(database, "backup")
    assert not found, f"What hands backups over, and tries them out, was changed: {'; '.join(found)}."
