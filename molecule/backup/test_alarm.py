"""What goes wrong with backups is told once, and told again when it is over; the server stays writable meanwhile."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

BACKUP, CHECK = "art32-backup@server.service", "art32-backup-check@server.service"
DATABASE_CHECK = "art32-database-check.service"
REMOTE = "/usr/local/lib/art32/pgbackrest-remote"
GAP = "/var/lib/postgresql/art32-archive-gap"
ALLOWED_MB, SEGMENT_MB = 64, 16  # postgresql_archive_max_mb of this scenario
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


def told(machine: Machine, unit: str, words: str) -> int:
    """How often an alarm said this about a unit."""
    alarm = f"art32-alert@{unit}.service"
    idle = "until systemctl show -P ActiveState %s | grep -q inactive; do sleep 0.3; done"
    machine.check_output(f"timeout 60 sh -c '{idle}'", alarm)
    said = machine.check_output("journalctl -q --no-pager -o cat -u %s", alarm).splitlines()
    return len([line for line in said if line.startswith(f"{unit} {words}") and not line.endswith("nothing new")])


def run(machine: Machine, unit: str) -> bool:
    """Start a unit, however often it was started just before; whether it succeeded."""
    return bool(machine.run("systemctl reset-failed %s; systemctl start %s", unit, unit).rc == 0)


def last_words(machine: Machine, unit: str) -> str:
    """What a unit said in its last run."""
    invocation = machine.check_output("systemctl show -P InvocationID %s", unit)
    return str(machine.check_output("journalctl -q --no-pager -o cat _SYSTEMD_INVOCATION_ID=%s", invocation))


def sql(server: Machine, statement: str) -> str:
    return str(server.check_output("cd /; runuser -u postgres -- psql -XAtqc %s", statement))


@pytest.fixture(autouse=True, scope="module")
def by_hand(backup: Machine) -> Iterator[None]:
    """The hourly backup does not come in between; its timer goes on waiting."""
    place = "/run/systemd/system/art32-backup@.timer.d"
    never = "[Timer]\nOnCalendar=\nOnCalendar=2199-01-01\n"
    backup.check_output("mkdir -p %s; printf %%s %s >%s/test.conf", place, never, place)
    restart = "systemctl daemon-reload; systemctl restart art32-backup@server.timer"
    backup.check_output(restart)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    yield
    backup.check_output(f"rm -r %s; {restart}", place)


@pytest.fixture(autouse=True)
def well(by_hand: None, server: Machine, backup: Machine) -> None:
    """Each test begins where all is well."""
    if not run(backup, CHECK):
        assert run(backup, BACKUP), last_words(backup, BACKUP)
        assert run(backup, CHECK), last_words(backup, CHECK)
    assert run(server, DATABASE_CHECK), last_words(server, DATABASE_CHECK)


def test_a_failure_is_told_once_and_its_end_once(server: Machine, backup: Machine) -> None:
    assert run(backup, BACKUP), last_words(backup, BACKUP)  # the alarm of the side effect has ended
    failures, ends = told(backup, BACKUP, "failed on"), told(backup, BACKUP, "works again on")
    server.check_output("systemctl stop postgresql")
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


FLIPS = """
import json, random, shutil, sys
from pathlib import Path
full = max(Path("/var/lib/pgbackrest/backup/server").glob("*F")) / "pg_data"
files = sorted(path for path in full.rglob("*") if path.is_file() and path.stat().st_size)
for number, path in enumerate(random.Random(4711).sample(files, 100)):
    kept = Path("/root/flips", f"{number:03}")
    kept.parent.mkdir(exist_ok=True)
    shutil.copy2(path, kept)
    content = bytearray(path.read_bytes())
    place = random.Random(number).randrange(len(content))
    content[place] ^= 1 << (number % 8)
    with path.open("r+b") as file:
        file.write(content)
    print(path)
"""


def test_every_flipped_bit_is_found(backup: Machine) -> None:
    flipped = backup.check_output("python3 -c %s", FLIPS).splitlines()
    verify = "runuser -u pgbackrest -- pgbackrest --stanza=server --log-level-console=info {} verify"
    words = "--output=text --verbose" if backup.run("pgbackrest help verify | grep -q verbose").rc == 0 else ""
    try:
        told = backup.run(verify.format(words))
        judged = backup.run("runuser -u pgbackrest -- /usr/local/lib/art32/backup-verify server")
    finally:
        for number, path in enumerate(flipped):
            backup.check_output("cat /root/flips/%s >%s", f"{number:03}", path)
        backup.check_output("rm -r /root/flips")
    label = flipped[0].split("/")[6]
    counted = re.search(rf"backup: {label}, .*checked: (\d+), total valid files: (\d+)", told.stdout)
    assert counted, told.stdout + told.stderr
    assert int(counted[1]) - int(counted[2]) == len(flipped) == 100, told.stdout
    assert judged.rc != 0
    assert "is damaged" in judged.stdout


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


def test_a_file_of_the_log_that_is_there_already_does_not_stop_the_server(server: Machine, backup: Machine) -> None:
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
    finally:
        backup.check_output("rm -f %s", foreign)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
