"""A database host whose disk fills up while nothing reaches the repository goes on, tells it, and is well again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from units import BACKUP, DATABASE_CHECK, assert_log_is_bounded, last_words, run, sql, told, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

REMOTE = "/usr/local/lib/art32/pgbackrest-remote"
HOME, FILLER = "/var/lib/postgresql", "/var/lib/postgresql/filler"
GAP = f"{HOME}/art32-archive-gap"
SPARE_MB, LEFT_MB, SEGMENTS = 400, 96, 8
# The server's directory on a disk of its own, and back.
STOP = "set -eu; systemctl stop postgresql 'postgresql@*'"
MOVE = f"""
{STOP}
mkdir -p /run/small
mount -t tmpfs -o mode=0755,size=$(($(du -sm {HOME} | cut -f1) + {SPARE_MB}))m small /run/small
cp -a {HOME}/. /run/small
mount --bind /run/small {HOME}
systemctl start postgresql
"""
BACK = f"""
{STOP}
rm -f {FILLER}
umount --lazy {HOME}
find {HOME} -mindepth 1 -delete
cp -a /run/small/. {HOME}
umount /run/small
systemctl start postgresql
"""


@pytest.fixture
def small_disk(well: None, server: Machine) -> Iterator[None]:
    """All that PostgreSQL has on a disk that nothing else is on."""
    server.check_output("sh -c %s", MOVE)
    until(lambda: server.run("pg_isready").rc == 0, "the server is up")
    yield
    server.check_output("sh -c %s", BACK)
    until(lambda: server.run("pg_isready").rc == 0, "the server is up")


def fill(server: Machine, left_mb: int) -> None:
    """Leave so much room."""
    blocks = f"$((($(df -Pk {HOME} | awk 'NR==2 {{print $4}}') - {left_mb * 1024}) / 64))"
    server.check_output(f"dd if=/dev/zero of={FILLER} bs=64k count={blocks} oflag=append conv=notrunc status=none")


def write(server: Machine, segments: int) -> None:
    """Fill files of the log, each no sooner than the server knows what to do with the one before."""
    waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name ~ 'ready$'"
    room = f"df -Pm {HOME} | awk 'NR==2 {{print $4}}'"
    for _ in range(segments):
        sql(server, "INSERT INTO words VALUES ('x'); SELECT pg_switch_wal()")
        sql(server, "CHECKPOINT")
        until(lambda: int(sql(server, waiting)) <= 1 or int(server.check_output(room)) > LEFT_MB // 2, "room", 150)


@pytest.mark.long
def test_a_full_disk_and_a_stuck_archive_stop_nothing(server: Machine, backup: Machine, small_disk: None) -> None:
    before, ends = (told(server, DATABASE_CHECK, words) for words in ("failed on", "works again on"))
    began = sql(server, "SELECT pg_postmaster_start_time()")
    sql(server, "DROP TABLE IF EXISTS words; CREATE TABLE words (words text)")
    backup.check_output("chmod 0 %s", REMOTE)
    try:
        fill(server, LEFT_MB)
        write(server, SEGMENTS)
        assert server.file(GAP).exists
        # Nothing new finds room but the server's own notes at a checkpoint; without these it would stop by itself.
        fill(server, 1)
        assert not run(server, DATABASE_CHECK)
        assert "disk has 0 % left" in last_words(server, DATABASE_CHECK)
        assert told(server, DATABASE_CHECK, "failed on") == before + 1
        assert_log_is_bounded(server)
        assert not run(backup, BACKUP)
        assert sql(server, "INSERT INTO words VALUES ('y') RETURNING words") == "y"
        assert sql(server, "SELECT count(*) FROM words") == str(SEGMENTS + 1)
    finally:
        backup.check_output("chmod 0755 %s", REMOTE)
        server.check_output("rm -f %s", FILLER)
    assert run(backup, BACKUP), last_words(backup, BACKUP)
    assert run(server, DATABASE_CHECK), last_words(server, DATABASE_CHECK)
    assert told(server, DATABASE_CHECK, "works again on") == ends + 1
    assert sql(server, "SELECT pg_postmaster_start_time()") == began
    sql(server, "DROP TABLE words")
