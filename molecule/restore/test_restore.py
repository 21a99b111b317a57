"""docs/restore.md: its commands, taken from the page and run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.machine import Machine

    Replace = Callable[[str], None]

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "restore.md").read_text(encoding="utf-8")
EXAMPLE_MOMENT, EXAMPLE_NAME = "2026-11-24 03:12:00+00:00", "production"
BOUND = 30  # postgresql_archive_timeout of this scenario
LOAD = """
import sys, time, psycopg
with psycopg.connect("dbname=platform user=postgres", autocommit=True) as connection:
    number = 0
    while True:
        number += 1
        connection.execute("INSERT INTO load VALUES (%s)", [number])
        print(number, time.time(), flush=True)
"""


def commands(heading: str) -> list[str]:
    """The commands below a heading of the page, in order."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("environment"))


def follow(command: str, environment: Path, *, moment: str = "") -> str:
    """Run a command of the page on the controller, for this environment; what it says."""
    words = command.replace(f"inventories/{EXAMPLE_NAME}", str(environment)).replace(
        f"-e {EXAMPLE_NAME}", f"-e {environment}"
    )
    words = words.replace(f"confirm={EXAMPLE_NAME}", "confirm=restore")
    words = words.replace(EXAMPLE_MOMENT, moment or EXAMPLE_MOMENT)
    settings = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    done = subprocess.run(
        shlex.split(words), env=settings, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=560
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def sql(server: Machine, statement: str, database: str = "platform") -> str:
    """What the live server answers to its own account."""
    command = "cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d %s -c %s"
    return str(server.check_output(command, database, statement))


def now(server: Machine) -> str:
    """The server's time, as the page writes it; no later transaction begins within it."""
    time.sleep(1.1)
    moment = sql(server, "SELECT to_char(now(), 'YYYY-MM-DD HH24:MI:SS+00:00')")
    time.sleep(1.1)
    return moment


@pytest.fixture(scope="module", autouse=True)
def content(server: Machine, backup: Machine) -> None:
    """A table as a service makes it, and a backup of it."""
    sql(server, "SET ROLE platform_owner; CREATE TABLE IF NOT EXISTS entry (words text); TRUNCATE entry")
    sql(server, "INSERT INTO entry SELECT 'entry ' || n FROM generate_series(1, 1000) AS n")
    assert backup.run("systemctl start art32-backup@server.service").rc == 0


def test_the_page_lists_what_there_is(server: Machine, environment: Path) -> None:
    (command,) = commands("What there is to restore from")
    assert "Any moment since" in follow(command, environment)


def test_a_mistake_is_undone(server: Machine, environment: Path) -> None:
    before = now(server)
    sql(server, "DROP TABLE entry; CREATE TABLE after_it (id int)")
    look, do = commands("The database is damaged, or a change has to be undone everywhere")
    assert "Nothing was changed" in follow(look, environment, moment=before)
    assert sql(server, "SELECT to_regclass('entry') IS NULL") == "t"
    assert "Restored in" in follow(do, environment, moment=before)
    assert sql(server, "SELECT count(*) FROM entry") == "1000"
    assert sql(server, "SELECT to_regclass('after_it') IS NULL") == "t"
    assert sql(server, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'entry'") == "platform_owner"
    assert sql(server, "SELECT count(*) FROM pg_settings WHERE pending_restart OR sourcefile ~ 'auto.conf'") == "0"
    server.check_output("rm -r /var/lib/postgresql/*/main.before-*")


def test_a_run_without_the_right_name_is_refused(environment: Path) -> None:
    look = commands("The database is damaged, or a change has to be undone everywhere")[0]
    with pytest.raises(AssertionError, match="confirm is staging; this environment is restore"):
        follow(f"{look} -e confirm=staging", environment)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cluster", "--to", "yesterday"], "it has to be a time with its zone"),
        (["cluster", "--to", "2026-11-24 03:12"], "it has to be a time with its zone"),
        (["cluster", "--to", "2099-01-01 00:00:00+00"], "which is yet to come"),
        (["cluster", "--to", "2020-01-01 00:00:00+00"], "the oldest backup ended at"),
        (["database", "platform", "--as", "postgres"], "is there already"),
        (["database", "platform; x"], "is no name of a database"),
    ],
)
def test_what_cannot_be_is_refused(server: Machine, words: list[str], told: str) -> None:
    done = server.run("art32-restore " + " ".join(["%s"] * len(words)) + " --yes", *words)
    assert done.rc == 1
    assert told in done.stderr
    assert server.run("ls -d /var/lib/postgresql/*/main.*").rc != 0


def test_a_failed_restore_leaves_what_was_there(server: Machine, backup: Machine) -> None:
    sql(server, "INSERT INTO entry VALUES ('only here')")
    # What the backup needs of the log is out of reach.
    (place,) = backup.check_output("ls -d /var/lib/pgbackrest/backup/server/*F").splitlines()[-1:]
    backup.check_output("mv %s /root/aside", place)
    try:
        failed = server.run("art32-restore cluster --yes")
    finally:
        backup.check_output("mv /root/aside %s", place)
    assert failed.rc == 1
    assert "It failed; the server runs with the data that it had before." in failed.stdout
    assert sql(server, "SELECT count(*) FROM entry WHERE words = 'only here'") == "1"
    server.check_output("rm -rf /var/lib/postgresql/*/main.failed-*")


def test_lost_rows_come_back_beside_the_live_database(server: Machine, environment: Path) -> None:
    before = now(server)
    rows = sql(server, "SELECT count(*) FROM entry")
    sql(server, "DELETE FROM entry")
    sql(server, "SET ROLE platform_owner; CREATE TABLE IF NOT EXISTS meanwhile (id int)")
    restore, *here = commands("One table or one row is lost")
    assert "Restored in" in follow(restore, environment, moment=before)
    assert sql(server, "SELECT datacl::text FROM pg_database WHERE datname = 'platform_old'") == (
        "{platform_owner=CTc/platform_owner}"
    )
    for command in here:
        server.check_output(f"cd /; {command}")
    assert sql(server, "SELECT count(*) FROM entry") == rows
    assert sql(server, "SELECT to_regclass('meanwhile') IS NOT NULL") == "t"
    assert sql(server, "SELECT count(*) FROM pg_database WHERE datname = 'platform_old'") == "0"
    assert server.run("ls -d /var/lib/postgresql/art32-* /run/art32-restore-*").rc != 0


def test_a_killed_server_loses_nothing_older_than_the_bound(server: Machine, environment: Path) -> None:
    sql(server, "SET ROLE platform_owner; DROP TABLE IF EXISTS load; CREATE TABLE load (number int)")
    server.check_output("printf %%s %s >/tmp/load.py; chmod 0644 /tmp/load.py", LOAD)
    pgbench = "/usr/lib/postgresql/*/bin/pgbench"
    server.check_output(f"cd /; runuser -u postgres -- createdb bench; runuser -u postgres -- {pgbench} -iqs 5 bench")
    # Both go on until the server dies, and write down each commit that they know of, with the time.
    others = f"exec {pgbench} -n -c 4 -T 3600 -l --log-prefix=/tmp/bench bench >/tmp/bench.out 2>&1 &"
    server.check_output("cd /; runuser -u postgres -- sh -c %s", others)
    server.check_output("cd /; runuser -u postgres -- sh -c 'exec python3 /tmp/load.py >/tmp/load.log 2>&1 &'")
    time.sleep(BOUND + 20)
    server.check_output("kill -9 $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)")
    died = datetime.now(tz=UTC).timestamp()
    # Its disk is gone with it.
    server.check_output("systemctl stop postgresql 'postgresql@*'; rm -rf /var/lib/postgresql/*/main")
    told = [line.split() for line in server.check_output("cat /tmp/load.log").splitlines() if line[:1].isdigit()]
    commits = [(int(number), float(moment)) for number, moment in (line for line in told if len(line) == 2)]
    look = commands("The server is gone")[1]
    assert "Restored in" in follow(look, environment)
    kept = int(sql(server, "SELECT coalesce(max(number), 0) FROM load"))
    assert sql(server, "SELECT count(*) FROM load") == str(kept)
    lost = [moment for number, moment in commits if number > kept]
    assert not lost or min(lost) >= died - BOUND - 10, f"lost commits of the last {died - min(lost):.0f} s"
    assert kept > 0
    ended = "cat /tmp/bench.[0-9]* | awk '$5 + $6 / 1e6 < %s' | wc -l"
    before = int(server.check_output(ended, str(died - BOUND - 10)))
    assert before > 100, server.check_output("cat /tmp/bench.out")
    assert int(sql(server, "SELECT count(*) FROM pgbench_history", "bench")) >= before
    server.check_output("runuser -u postgres -- dropdb bench; rm /tmp/bench*")


def test_a_fresh_machine_becomes_the_server(server: Machine, environment: Path, replace_machine: Replace) -> None:
    rows = sql(server, "SELECT count(*) FROM entry")
    identifier = sql(server, "SELECT system_identifier FROM pg_control_system()")
    # The last minutes are in the repository before the machine is lost.
    server.check_output("systemctl stop postgresql 'postgresql@*'")
    replace_machine("server")
    forget, restore, _site = commands("The server is gone")
    follow(forget, environment)
    assert "Restored in" in follow(restore, environment)
    assert sql(server, "SELECT count(*) FROM entry") == rows
    assert sql(server, "SELECT system_identifier FROM pg_control_system()") == identifier
    again = server.run("systemctl start art32-restore-drill.service")
    assert again.rc == 0, server.check_output("journalctl -q --no-pager -n 30 -u art32-restore-drill")
