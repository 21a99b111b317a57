"""What the tests of this scenario ask of the units that back up, look, and tell."""

from __future__ import annotations

__all__ = [
    "ALLOWED_MB",
    "BACKUP",
    "CHECK",
    "DATABASE_CHECK",
    "SEGMENT_MB",
    "TIMER",
    "assert_log_is_bounded",
    "info",
    "last_words",
    "run",
    "sql",
    "told",
    "until",
]

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.machine import Machine

BACKUP, CHECK = "art32-backup@server.service", "art32-backup-check@server.service"
TIMER = "art32-backup@server.timer"
DATABASE_CHECK = "art32-database-check.service"
ALLOWED_MB, SEGMENT_MB = 64, 16  # postgresql_archive_max_mb of this scenario


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
    """What a unit said in the last of its runs that said anything; its timer may have started one since."""
    fields = "--output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID"
    told = machine.check_output(f"journalctl -q --no-pager -o json {fields} -n 200 -u %s", unit)
    lines = [line for line in map(json.loads, told.splitlines()) if "_SYSTEMD_INVOCATION_ID" in line]
    newest = lines[-1]["_SYSTEMD_INVOCATION_ID"] if lines else ""
    return "\n".join(line["MESSAGE"] for line in lines if line["_SYSTEMD_INVOCATION_ID"] == newest)


def sql(server: Machine, statement: str, database: str = "postgres") -> str:
    """What the server answers to its own account."""
    return str(server.check_output("cd /; runuser -u postgres -- psql -XAtqd %s -c %s", database, statement))


def info(backup: Machine) -> list[dict[str, Any]]:
    """The backups of the repository, oldest first."""
    told = backup.check_output("runuser -u pgbackrest -- pgbackrest --stanza=server --output=json info")
    return list(json.loads(told)[0]["backup"])


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def assert_log_is_bounded(server: Machine) -> None:
    """What waits stays within what is allowed, and what PostgreSQL keeps for its own use is as much as it may keep."""
    sql(server, "CHECKPOINT")
    own = "SELECT setting::int FROM pg_settings WHERE name = 'max_wal_size'"
    held = "SELECT sum(size) / 1048576 FROM pg_ls_waldir()"
    assert float(sql(server, held)) <= ALLOWED_MB + float(sql(server, own)) + 2 * SEGMENT_MB
