"""What a backup of a database of 2 GB costs an hour after little has changed, and how fast it is restored.

In a database of pgbench's on the demo's server, which is dropped afterwards, with cold caches: a full backup;
incremental ones after changes to 1 % of the pages, in a row and far apart, by their time and bytes beside the full
one's; and by turns a restore of that full backup, and a pipe that reads, decrypts and decompresses the same content
from and to the same disk. Prints the medians and writes them, dated, to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.dated import keep

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONTIGUOUS_ALLOWED, RESTORE_ALLOWED = 0.1, 0.7
MB_PER_SCALE = 15
PAGE = 8192
TIMER = "art32-backup@server.timer"
PLACE = "/var/lib/postgresql/art32-bench"
# What pgBackRest is configured to do: zstd at 3, AES-256-CBC, keys derived once.
SEAL = f"tar -C {PLACE} -c data | zstd -q -3 | openssl enc -aes-256-cbc -md sha1 -pass pass:bench >{PLACE}/sealed"
PIPE = f"openssl enc -d -aes-256-cbc -md sha1 -pass pass:bench <{PLACE}/sealed | zstd -dcq | tar -C {PLACE} -x"


@dataclass(frozen=True)
class Host:
    """A test host, asked as root."""

    container: str

    def run(self, script: str, *words: str) -> str:
        """Run a script; what it prints. Raises SystemExit when it fails."""
        told = subprocess.run(
            [*SUDO, "podman", "exec", self.container, "bash", "-euo", "pipefail", "-c", script, "bash", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise SystemExit(f"bench: {script} {words}:\n{told.stdout[-2000:]}{told.stderr[-2000:]}")
        return told.stdout.strip()

    def timed(self, script: str) -> float:
        """Run a script with cold caches until what it wrote is on the disk; its seconds."""
        subprocess.run([*SUDO, "sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches"], check=True)
        start = time.monotonic()
        self.run(f"{script}; sync -f {PLACE.rpartition('/')[0]}")
        seconds = round(time.monotonic() - start, 1)
        print(f"==> bench: {script.split(' >', maxsplit=1)[0][-60:]} {seconds} s", flush=True)
        return seconds


SUDO = [] if os.geteuid() == 0 else ["sudo"]


def sql(server: Host, statement: str, database: str = "bench") -> str:
    """What PostgreSQL answers to its own account."""
    return server.run('cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"', database, statement)


def settle(server: Host) -> None:
    """Write what has changed to the tables' own files, and wait until the repository has the log of it."""
    segment = sql(server, "SELECT pg_walfile_name(pg_switch_wal())")
    sql(server, "CHECKPOINT")
    for _ in range(1800):
        if sql(server, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") >= segment:
            return
        time.sleep(1)
    raise SystemExit("bench: the log does not reach the repository")


def change(server: Host, *, apart: int, row: int) -> int:
    """Change one row, within its page, on 1 % of the database's pages; how many those are."""
    pages = int(sql(server, "SELECT pg_database_size('bench')")) // PAGE // 100
    rows = f"SELECT format('(%s,{row})', page * {apart})::tid FROM generate_series(0, {pages - 1}) AS page"  # noqa: S608 - numbers
    sql(server, f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE ctid = ANY(ARRAY({rows}))")  # noqa: S608 - our own
    settle(server)
    return pages


def back_up(backup: Host, kind: str) -> dict[str, Any]:
    """Back up; the label, the seconds and the bytes that the repository grew by."""
    words = f"cd /; runuser -u pgbackrest -- pgbackrest --stanza=server --log-level-console=warn --type={kind} backup"
    seconds = backup.timed(words)
    told = json.loads(backup.run("cd /; runuser -u pgbackrest -- pgbackrest --stanza=server --output=json info"))
    newest = told[0]["backup"][-1]
    print(f"==> bench: {newest['label']} has {newest['info']['repository']['delta']} bytes", flush=True)
    return {"label": newest["label"], "seconds": seconds, "bytes": newest["info"]["repository"]["delta"]}


@contextmanager
def database(server: Host, backup: Host, megabytes: int) -> Iterator[None]:
    """A database of pgbench's of this size, while no hourly backup comes in between."""
    backup.run(f"systemctl stop {TIMER}")
    try:
        server.run("command -v zstd >/dev/null || { apt-get -q update; apt-get -qy install zstd; }")
        server.run(f"install -d -o postgres -g postgres -m 0700 {PLACE}; cd /; runuser -u postgres -- createdb bench")
        scale = megabytes // MB_PER_SCALE
        server.run(f"cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/pgbench -iq -F 90 -s {scale} bench")
        settle(server)
        yield
    finally:
        server.run(f"rm -rf {PLACE}; cd /; runuser -u postgres -- dropdb --if-exists bench")
        backup.run(f"systemctl start {TIMER}")


def restores(server: Host, label: str, rounds: int) -> dict[str, list[float]]:
    """Restore, and pipe the same content, by turns; the seconds."""
    options = f"--stanza=server --set={label} --type=immediate --pg1-path={PLACE}/data --log-level-console=error"
    # As art32-restore does.
    restore = f"cd /; runuser -u postgres -- pgbackrest {options} --process-max=4 restore"
    clear = f"rm -rf {PLACE}/data"
    server.run(f"{restore}; {SEAL}; {clear}")
    found: dict[str, list[float]] = {"restore": [], "pipe": []}
    for number in range(rounds):
        ways = [("restore", restore), ("pipe", PIPE)]
        for way, script in ways if number % 2 == 0 else reversed(ways):
            found[way].append(server.timed(script))
            server.run(clear)
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    given = (options.environment / "group_vars" / "all" / "testhosts.yml").read_text(encoding="utf-8")
    prefix = yaml.safe_load(given)["testhosts_prefix"]
    server, backup = Host(f"{prefix}-server"), Host(f"{prefix}-backup")
    with database(server, backup, options.megabytes):
        size = int(sql(server, "SELECT pg_database_size('bench')"))
        full = back_up(backup, "full")
        changed = change(server, apart=1, row=1)
        contiguous = back_up(backup, "incr")
        change(server, apart=75, row=2)
        scattered = back_up(backup, "incr")
        found = restores(server, full["label"], options.rounds)
    ratios = {
        name: {what: round(made[what] / full[what], 3) for what in ("seconds", "bytes")}
        for name, made in (("contiguous", contiguous), ("scattered", scattered))
    }
    pairs = zip(found["pipe"], found["restore"], strict=True)
    return {
        "release": server.run(". /etc/os-release; echo $VERSION_CODENAME"),
        "pgbackrest": server.run("pgbackrest version"),
        "database_bytes": size,
        "pages_changed": changed,
        "full": full,
        "contiguous": contiguous | {"of_full": ratios["contiguous"], "allowed": CONTIGUOUS_ALLOWED},
        "scattered": scattered | {"of_full": ratios["scattered"]},
        "restore": {
            **found,
            "of_pipe": round(statistics.median(pipe / restore for pipe, restore in pairs), 2),
            "allowed": RESTORE_ALLOWED,
        },
    }


def main() -> int:
    """Measure and judge; what Debian 12's pgBackRest, which keeps files whole, makes of few changes is told alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--megabytes", type=int, default=2100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 1)
    found = measure(options)
    told = {
        "load_before": load,
        **found,
    }
    result = keep(
        f"restore-{found['release']}",
        "an hourly backup after changes to 1 % of the pages beside a full one; a restore beside a plain pipe",
        told,
    )
    print(json.dumps(result, indent=2))
    is_small = found["release"] == "bookworm" or found["contiguous"]["of_full"]["bytes"] <= CONTIGUOUS_ALLOWED
    return 0 if is_small and found["restore"]["of_pipe"] >= RESTORE_ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
