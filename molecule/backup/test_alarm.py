"""What goes wrong with backups is told once, and told again when it is over; the server stays writable meanwhile."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from units import (
    ALLOWED_MB,
    BACKUP,
    CHECK,
    DATABASE_CHECK,
    SEGMENT_MB,
    assert_log_is_bounded,
    last_words,
    run,
    sql,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

pytestmark = pytest.mark.usefixtures("well")
REMOTE = "/usr/local/lib/art32/pgbackrest-remote"
GAP = "/var/lib/postgresql/art32-archive-gap"
CONFIGURATION = "/etc/pgbackrest/pgbackrest.conf"
ARCHIVE = "$(ls -d /var/lib/pgbackrest/archive/server/*-1)"
MOUNT = "mount -t tmpfs -o size=64k,mode=3770,uid=pgbackrest,gid=art32-archive"
# On the repository host: what breaks it, and what repairs it.
FAULTS = {
    "wrong passphrase": (
        f"cp -a {CONFIGURATION} /root/kept; sed -i s/^repo1-cipher-pass=./\\&x/ {CONFIGURATION}",
        f"mv /root/kept {CONFIGURATION}",
    ),
    "repository out of reach": (
        "chmod 0 /usr/local/lib/art32/pgbackrest-remote",
        "chmod 0755 /usr/local/lib/art32/pgbackrest-remote",
    ),
    "repository's disk full": (
        f"{MOUNT} full {ARCHIVE}; dd if=/dev/zero of={ARCHIVE}/filler bs=1k status=none; true",
        f"umount {ARCHIVE}",
    ),
}


def test_a_failure_is_told_once_and_its_end_once(server: Machine, backup: Machine) -> None:
    assert run(backup, BACKUP), last_words(backup, BACKUP)  # the alarm of the side effect has ended
    failures, ends = told(backup, BACKUP, "failed on"), told(backup, BACKUP, "works again on")
    server.check_output("systemctl stop postgresql 'postgresql@*'")
    try:
        assert not run(backup, BACKUP)
        assert not run(backup, BACKUP)
    finally:
        server.check_output("systemctl start postgresql")
    assert run(backup, BACKUP)
    assert run(backup, BACKUP)
    assert told(backup, BACKUP, "failed on") == failures + 1
    assert told(backup, BACKUP, "works again on") == ends + 1


@pytest.fixture
def unforgiving(backup: Machine) -> Iterator[None]:
    """No backup is young enough."""
    place = "/run/systemd/system/art32-backup-check@.service.d"
    backup.check_output(
        "mkdir -p %s; printf '[Service]\\nEnvironment=MAX_AGE_MINUTES=-1\\n' >%s/test.conf", place, place
    )
    backup.check_output("systemctl daemon-reload")
    yield
    backup.check_output("rm -r %s; systemctl daemon-reload", place)


def test_an_old_backup_is_an_alarm(backup: Machine, unforgiving: None) -> None:
    assert not run(backup, CHECK)
    assert "min old; -1 min are allowed" in last_words(backup, CHECK)
    assert told(backup, CHECK, "failed on") > 0


def test_a_backup_that_never_was_is_an_alarm(backup: Machine) -> None:
    backup.check_output("mv /var/lib/art32/backup/server.json /root")
    try:
        assert not run(backup, CHECK)
        assert "No backup was ever read back." in last_words(backup, CHECK)
    finally:
        backup.check_output("mv /root/server.json /var/lib/art32/backup")


def test_a_timer_that_does_not_fire_is_an_alarm(backup: Machine) -> None:
    backup.check_output("systemctl stop art32-backup@server.timer")
    try:
        assert not run(backup, CHECK)
        assert "The timer is inactive." in last_words(backup, CHECK)
    finally:
        backup.check_output("systemctl start art32-backup@server.timer")


def test_the_looks_come_by_themselves_also_after_a_boot(server: Machine, backup: Machine) -> None:
    for machine, unit in ((backup, "art32-backup-check@server.timer"), (server, "art32-database-check.timer")):
        shown = machine.check_output("systemctl show -p ActiveState,UnitFileState,TimersMonotonic %s", unit)
        assert "OnBootUSec" in shown
        assert "ActiveState=active" in shown
        assert "UnitFileState=enabled" in shown


def test_an_overdue_restore_drill_is_an_alarm(server: Machine) -> None:
    report = "/var/lib/art32/drill/report.json"
    kept = json.loads(server.file(report).content_string)
    assert json.loads(server.file("/etc/art32/drill.json").content_string)["max_age_days"] == 8
    failures, ends = (told(server, DATABASE_CHECK, words) for words in ("failed on", "works again on"))
    server.check_output("cp -a %s /root/report.json", report)
    write = "printf %%s %s >%s"
    try:
        for age, is_well in ((timedelta(days=8, minutes=-10), True), (timedelta(days=9, minutes=10), False)):
            moment = (datetime.now(tz=UTC) - age).isoformat(timespec="seconds")
            server.check_output(write, json.dumps(kept | {"time": moment}), report)
            assert run(server, DATABASE_CHECK) == is_well, last_words(server, DATABASE_CHECK)
            told(server, DATABASE_CHECK, "")  # an alarm that is being raised is waited for
        assert "The last restore drill is 9 days old; 8 are allowed" in last_words(server, DATABASE_CHECK)
        assert told(server, DATABASE_CHECK, "failed on") == failures + 1
    finally:
        server.check_output("mv /root/report.json %s", report)
    assert run(server, DATABASE_CHECK), last_words(server, DATABASE_CHECK)
    assert told(server, DATABASE_CHECK, "works again on") == ends + 1


def test_a_stuck_archive_neither_stops_the_server_nor_stays_unseen(server: Machine, backup: Machine) -> None:
    backup.check_output("chmod 0 %s", REMOTE)
    try:
        for _ in range(3 * ALLOWED_MB // SEGMENT_MB):
            sql(server, "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
        for _ in range(240):
            waiting = int(sql(server, "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name ~ 'ready$'"))
            if waiting * SEGMENT_MB <= ALLOWED_MB:
                break
            time.sleep(0.5)
        assert waiting * SEGMENT_MB <= ALLOWED_MB
        assert sql(server, "CREATE TEMP TABLE writable (id int); SELECT 1") == "1"
        assert_log_is_bounded(server)
        assert server.file(GAP).exists
        assert not run(server, DATABASE_CHECK)
        assert "Changes since" in last_words(server, DATABASE_CHECK)
        assert told(server, DATABASE_CHECK, "failed on") > 0
    finally:
        backup.check_output("chmod 0755 %s", REMOTE)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    assert run(server, DATABASE_CHECK), last_words(server, DATABASE_CHECK)
    assert not server.file(GAP).exists


def test_the_first_run_tried_a_restore(server: Machine) -> None:
    report = json.loads(server.file("/var/lib/art32/drill/report.json").content_string)
    assert report["passed"], report
    assert set(report["seconds"]) == {"restore", "recovery", "checks"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_survived_told_and_over_after_the_repair(server: Machine, backup: Machine, fault: str) -> None:
    before = told(backup, BACKUP, "failed on")
    broken, repaired = FAULTS[fault]
    backup.check_output(broken)
    try:
        sql(server, "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
        assert not run(backup, BACKUP)
        assert told(backup, BACKUP, "failed on") == before + 1
        assert sql(server, "CREATE TEMP TABLE writable (id int); SELECT 1") == "1"
        assert_log_is_bounded(server)
    finally:
        backup.check_output(repaired)
    assert run(backup, BACKUP), last_words(backup, BACKUP)


def test_a_backup_that_is_killed_is_told_and_the_next_one_is_whole(server: Machine, backup: Machine) -> None:
    before = told(backup, BACKUP, "failed on")
    backup.check_output("systemctl start --no-block %s", BACKUP)
    backup.check_output("timeout 60 sh -c 'until pgrep -u pgbackrest -f [b]ackup$; do sleep 0.1; done'")
    backup.check_output("systemctl kill --signal=KILL %s", BACKUP)
    backup.check_output("timeout 60 sh -c 'until systemctl is-failed --quiet %s; do sleep 0.2; done'", BACKUP)
    assert told(backup, BACKUP, "failed on") == before + 1
    assert run(backup, BACKUP), last_words(backup, BACKUP)


def test_a_file_of_the_log_that_is_there_already_does_not_stop_the_server(
    server: Machine, backup: Machine, whole: bool
) -> None:
    sql(server, "SELECT pg_logical_emit_message(true, 'test', 'x')")  # at its very end a file would name the one before
    name = sql(server, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    (place,) = backup.check_output("ls -d /var/lib/pgbackrest/archive/server/*/*/ | tail -n 1").split()
    foreign = f"{place}{name}-{'0' * 40}.gz"
    backup.check_output("install -o pgbackrest -g art32-archive -m 0640 /dev/null %s", foreign)
    try:
        failed = int(sql(server, "SELECT failed_count FROM pg_stat_archiver"))
        sql(server, "SELECT pg_logical_emit_message(true, 'test', 'x'); SELECT pg_switch_wal()")
        for _ in range(120):
            if int(sql(server, "SELECT failed_count FROM pg_stat_archiver")) > failed:
                break
            time.sleep(0.5)
        else:
            pytest.fail("a foreign file of the log was no obstacle")
        assert sql(server, "CREATE TEMP TABLE writable (id int); SELECT 1") == "1"
        if whole:  # it waits for a minute
            failures = told(backup, BACKUP, "failed on")
            assert not run(backup, BACKUP)
            assert told(backup, BACKUP, "failed on") == failures + 1
            assert_log_is_bounded(server)
    finally:
        backup.check_output("rm -f %s", foreign)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
