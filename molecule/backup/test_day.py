"""A day of hourly backups by the timer, on a clock of its own, and what a machine that was off makes up for; last."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from units import BACKUP, CHECK, TIMER, info, last_words, run, sql, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment
    from controls.machine import Machine

HOUR, FIRINGS, LOSS = 3600, 24, 300
STAMP = f"/var/lib/systemd/timers/stamp-{TIMER}"
CLOCK = "/var/lib/art32-clock"
DROPINS = "/run/systemd/system"
CONTAINERS_CONF = Path(__file__).parents[1] / "resources" / "containers.conf"


def invocation(backup: Machine) -> str:
    """The unit's run: the present one, or the last."""
    return str(backup.check_output("systemctl show -P InvocationID %s", BACKUP))


def fired(backup: Machine, before: str, seconds: float = 120) -> None:
    """Wait until the timer has started the unit, and the unit has ended; it has to succeed."""
    until(lambda: invocation(backup) != before, "the timer fires", seconds)
    state = "systemctl show -P ActiveState %s"
    until(lambda: backup.check_output(state, BACKUP) in ("inactive", "failed"), "the backup ends", 300)
    assert backup.check_output("systemctl show -P Result %s", BACKUP) == "success", last_words(backup, BACKUP)


def missed(backup: Machine, hours: int) -> None:
    """The timer fired last some hours ago, as after a time without power."""
    backup.check_output("systemctl stop %s; touch -d %s %s", TIMER, f"{hours} hours ago", STAMP)


def answers(machine: Machine) -> bool:
    """Whether the host can be logged in to; right after a boot others may not find its address yet."""
    try:
        return machine.run("systemctl is-system-running --wait").rc in (0, 1)
    except RuntimeError:
        return False


@pytest.fixture
def at_once(backup: Machine) -> Iterator[None]:
    """The timer without its jitter, stopped: within it, the last hour's firing would come at once."""
    place = f"{DROPINS}/{TIMER}.d"
    jitter = "[Timer]\nRandomizedDelaySec=0\n"
    backup.check_output("systemctl stop %s", TIMER)
    # What it has just begun may wait for another unit.
    state = "systemctl show -P ActiveState %s | grep -qxE 'inactive|failed'"
    begun = f"systemctl list-jobs --no-legend | grep -q art32-; test $? = 1 && {state}"
    until(lambda: backup.run(begun, BACKUP).rc == 0, "what was begun ends", 300)
    backup.check_output("mkdir -p %s; printf %%s %s >%s/now.conf; systemctl daemon-reload", place, jitter, place)
    yield
    backup.check_output("rm -r %s; systemctl daemon-reload; systemctl restart %s", place, TIMER)


def test_a_missed_firing_is_made_up_for(backup: Machine, at_once: None) -> None:
    before, backups = invocation(backup), len(info(backup))
    missed(backup, 0)
    backup.check_output("systemctl start %s", TIMER)
    time.sleep(2)
    assert invocation(backup) == before  # nothing was missed
    missed(backup, 3)
    backup.check_output("systemctl start %s", TIMER)
    fired(backup, before)
    assert len(info(backup)) == backups + 1


@pytest.mark.long
def test_after_hours_without_power_a_backup_is_made_within_minutes(backup: Machine, declaration: Environment) -> None:
    missed(backup, 3)
    container = f"{declaration.get('testhosts_prefix')}-backup"
    surroundings = {**os.environ, "CONTAINERS_CONF": str(CONTAINERS_CONF)}
    booted = time.time()
    subprocess.run(["podman", "restart", "-t", "5", container], check=True, capture_output=True, env=surroundings)
    until(lambda: answers(backup), "the host is back", 120)
    fired(backup, "", 360)  # since the boot it has not run
    began = backup.check_output('date -d "$(systemctl show -P ExecMainStartTimestamp %s)" +%%s', BACKUP)
    assert float(began) - booted <= LOSS


@pytest.fixture
def clock(server: Machine, backup: Machine, at_once: None) -> Iterator[Callable[[float], None]]:
    """Sets the clock of PostgreSQL and of the backup's units to so many seconds ago; their repository begins anew.

    The machines' own clocks, systemd's among them, stay right.
    """
    version = sql(server, "SHOW server_version_num")[:2]
    environment = f"/etc/postgresql/{version}/main/environment"
    for machine in (server, backup):
        machine.check_output("apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -qy install libfaketime")
    library = server.check_output("dpkg -L libfaketime | grep MT.so | head -n 1")
    settings = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": CLOCK,
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }

    def turn(seconds: float, *, is_running: bool = True) -> None:
        for machine in (server, backup):
            machine.check_output("printf %%s %s >%s.new; mv %s.new %s", f"-{seconds:.0f}", CLOCK, CLOCK, CLOCK)
        told = f"SELECT abs(extract(epoch FROM clock_timestamp()) - {time.time() - seconds}) < 30"  # noqa: S608 - a number
        if is_running:
            until(lambda: sql(server, told) == "t", "PostgreSQL's clock is set")

    places = [f"{DROPINS}/{unit.replace('server.', '.')}.d" for unit in (BACKUP, CHECK)]
    lines = "[Service]\n" + "".join(f"Environment={name}={value}\n" for name, value in settings.items())
    for place in places:
        backup.check_output("mkdir -p %s; printf %%s %s >%s/clock.conf", place, lines, place)
    backup.check_output("systemctl daemon-reload; systemctl stop %s", TIMER)
    server.check_output("cp -a %s /root/environment", environment)
    lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    server.check_output("printf %%s %s >>%s", lines, environment)
    # What the server did last must not have been in its future.
    server.check_output("systemctl stop postgresql 'postgresql@*'")
    turn((FIRINGS + 1) * HOUR, is_running=False)
    server.check_output("systemctl start postgresql")
    until(lambda: server.run("pg_isready").rc == 0, "PostgreSQL is back")
    begin_anew(backup)
    yield turn
    for place in places:
        backup.check_output("rm -r %s", place)
    server.check_output("mv /root/environment %s; systemctl restart postgresql", environment)
    backup.check_output("systemctl daemon-reload")


def begin_anew(backup: Machine) -> None:
    """An empty repository."""
    for words in (["stop"], ["--force", "stanza-delete"], ["start"], ["stanza-create"]):
        given = ["pgbackrest", "--stanza=server", "--log-level-console=warn", *words]
        backup.check_output("cd /; runuser -u pgbackrest -- " + " ".join(["%s"] * len(given)), *given)
    backup.check_output("/usr/local/lib/art32/backup-seal server; rm -f /var/lib/art32/backup/server.json")


def archived(server: Machine, segment: str) -> bool:
    """Whether the repository has a file of the log."""
    return sql(server, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") >= segment


@pytest.mark.long
def test_a_day_has_24_backups_and_loses_five_minutes_at_most(
    server: Machine, backup: Machine, clock: Callable[[float], None]
) -> None:
    assert sql(server, "SHOW archive_timeout") == "5min"
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    sql(server, "CREATE TABLE IF NOT EXISTS hours (hour int, moment timestamptz DEFAULT clock_timestamp())")
    for hour in range(FIRINGS):
        ago = (FIRINGS - hour) * HOUR
        clock(ago + 2 * LOSS)
        sql(server, f"INSERT INTO hours VALUES ({hour})")  # noqa: S608 - a number
        segment = sql(server, "SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        # Five minutes later the server closes the file by itself; it looks at its clock when it is woken.
        clock(ago + LOSS)
        sql(server, "SELECT pg_reload_conf()")
        until(lambda segment=segment: archived(server, segment), f"hour {hour}: the change is in the repository")
        clock(ago)
        before = invocation(backup)
        missed(backup, 2)
        backup.check_output("systemctl start %s", TIMER)
        fired(backup, before)
        assert run(backup, CHECK), last_words(backup, CHECK)
    made = info(backup)
    assert not any(entry["error"] for entry in made)
    # A day after the full one a differential one is due.
    assert [entry["type"] for entry in made] == ["full", *["incr"] * (FIRINGS - 1), "diff"]
    starts = [entry["timestamp"]["start"] for entry in made]
    assert all(abs(later - earlier - HOUR) < LOSS for earlier, later in itertools.pairwise(starts)), starts
