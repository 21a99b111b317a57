"""Restores a host's newest backup into a scratch cluster beside the live one, counts rows in both, and leaves nothing.

It is read by the database host's Python from standard input, as root. It prints one JSON document: for each database
the rows of every table, live `before` and `after` a restore point was set, and `restored` up to that point.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOME = "/var/lib/postgresql"
SECONDS = 120
# A recovering server refuses to start with less than the one that wrote the log had.
AT_LEAST = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
COUNTS = """
  SELECT coalesce(json_object_agg(name, (xpath('//n/text()', found))[1]::text::bigint), '{}')
    FROM (SELECT format('%I.%I', schemaname, tablename) AS name,
                 query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename), false, true, '')
                   AS found
            FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')) AS tables
"""
ARCHIVED = "SELECT coalesce(last_archived_wal, '') >= '{}' FROM pg_stat_archiver"


def as_postgres(*words: str) -> str:
    """Run a program as the cluster's account and return what it printed."""
    command = ["runuser", "-u", "postgres", "--", *words]
    answer = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=SECONDS, check=False)
    if answer.returncode != 0:
        sys.exit(f"{words[0]}: {answer.stderr.strip() or answer.stdout.strip()}")
    return answer.stdout.strip()


def ask(statement: str, database: str = "postgres", directory: str = "") -> str:
    """Ask the live server, or the one whose socket is in a directory."""
    where = ["-h", directory] if directory else []
    return as_postgres("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *where, "-d", database, "-c", statement)


def count(databases: list[str], directory: str = "") -> dict[str, dict[str, int]]:
    """The rows of every table of every database."""
    return {name: json.loads(ask(COUNTS, name, directory)) for name in databases}


def set_point() -> str:
    """Mark a moment in the log and wait until the repository has it."""
    point = f"art32-drill-{secrets.token_hex(4)}"
    segment = ask(f"SELECT pg_walfile_name(pg_create_restore_point('{point}'))")
    ask("SELECT pg_switch_wal()")
    wait_for(ARCHIVED.format(segment), "its log archived")
    return point


def wait_for(question: str, what: str, directory: str = "") -> None:
    """Ask until the answer is yes, for a bounded time."""
    for _ in range(SECONDS * 2):
        if ask(question, directory=directory) == "t":
            return
        time.sleep(0.5)
    sys.exit(f"the server has not {what} within {SECONDS} s")


def restore(stanza: str, data: Path, point: str) -> None:
    """Let pgBackRest write the data directory, and give it a configuration that talks to nobody."""
    target = [f"--pg1-path={data}", "--type=name", f"--target={point}", "--target-action=promote"]
    as_postgres("pgbackrest", f"--stanza={stanza}", *target, "--log-level-console=error", "restore")
    settings = {name: ask(f"SHOW {name}") for name in AT_LEAST}
    settings |= {"listen_addresses": "", "unix_socket_directories": str(data.parent), "archive_mode": "off"}
    settings |= {"shared_buffers": "32MB", "fsync": "off", "ssl": "off", "logging_collector": "off"}
    lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    (data / "postgresql.conf").write_text(lines)
    (data / "pg_hba.conf").write_text("local all postgres peer\n")
    (data / "pg_ident.conf").write_text("")


def start(data: Path) -> None:
    """Start the scratch cluster and wait until it has replayed everything."""
    as_postgres(*control(data), "-w", "-t", str(SECONDS), "-l", f"{data.parent}/log", "start")
    wait_for("SELECT NOT pg_is_in_recovery()", "recovered", str(data.parent))


def control(data: Path) -> list[str]:
    """pg_ctl of the live server's version for a data directory."""
    version = int(ask("SHOW server_version_num")) // 10000
    return [f"/usr/lib/postgresql/{version}/bin/pg_ctl", "-D", str(data), "-s"]


def main(stanza: str, databases: list[str]) -> None:
    """Count, restore, count again; whatever happens, end the scratch cluster and remove it."""
    scratch = Path(tempfile.mkdtemp(prefix="art32-drill-", dir=HOME))
    shutil.chown(scratch, "postgres", "postgres")
    data = scratch / "data"
    try:
        before = count(databases)
        point = set_point()
        after = count(databases)
        restore(stanza, data, point)
        start(data)
        restored = count(databases, str(scratch))
    finally:
        if (data / "postmaster.pid").exists():
            as_postgres(*control(data), "-m", "immediate", "stop")
        shutil.rmtree(scratch)
    found = {name: {"before": before[name], "after": after[name], "restored": restored[name]} for name in databases}
    json.dump(found, sys.stdout, indent=1)
