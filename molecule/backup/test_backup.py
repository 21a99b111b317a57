"""Backups are there, are encrypted, can be restored, and the way to them leads nowhere else."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

STANZA = "server"
SERVICE = f"art32-backup@{STANZA}.service"
TIMER = f"art32-backup@{STANZA}.timer"
REPOSITORY = "/var/lib/pgbackrest"
SCRATCH = "/var/lib/postgresql/scratch"
CANARY = "canary-4711-in-a-row"


def sql(server: Machine, query: str, *, database: str = "platform", port: int = 5432) -> str:
    """What the server answers to its own account."""
    command = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d %s -p %s -c %s"
    return str(server.check_output(command, database, str(port), query))


def info(backup: Machine) -> dict[str, Any]:
    """What the repository says of the stanza."""
    answer = backup.check_output("runuser -u pgbackrest -- pgbackrest --output=json info")
    (stanza,) = [entry for entry in json.loads(answer) if entry["name"] == STANZA]
    return dict(stanza)


def archive(server: Machine) -> None:
    """Close the file that changes are written to, and wait until the repository has it."""
    # Where nothing was written since the last switch, there is nothing to close.
    sql(server, "SELECT pg_logical_emit_message(true, 'test', 'something to archive')")
    closed = sql(server, "SELECT pg_walfile_name(pg_switch_wal())")
    for _ in range(60):
        if sql(server, "SELECT last_archived_wal FROM pg_stat_archiver") >= closed:
            return
        time.sleep(0.5)
    pytest.fail(server.check_output("tail -n 50 /var/log/postgresql/*.log"))


@pytest.fixture(scope="module")
def saved(server: Machine, backup: Machine) -> str:
    """A row that the newest backup holds, and the time when it did."""
    sql(server, "SET ROLE platform_owner; CREATE TABLE IF NOT EXISTS entry (words text)")
    moment = datetime.now(tz=UTC).isoformat()
    sql(server, f"INSERT INTO entry VALUES ('{CANARY} {moment}')")  # noqa: S608 - both are our own
    started = backup.run("systemctl start %s", SERVICE)
    assert started.rc == 0, backup.check_output("journalctl -n 50 -u %s", SERVICE)
    return moment


def test_there_is_a_full_backup_since_the_first_run(backup: Machine) -> None:
    found = info(backup)
    assert found["status"]["message"] == "ok"
    assert found["backup"][0]["type"] == "full"
    assert not any(made["error"] for made in found["backup"])
    age = datetime.now(tz=UTC) - datetime.fromtimestamp(found["backup"][-1]["timestamp"]["stop"], tz=UTC)
    assert age < timedelta(hours=1)


def test_an_hour_later_only_changes_are_saved(backup: Machine, saved: str) -> None:
    full, newest = info(backup)["backup"][0], info(backup)["backup"][-1]
    assert newest["type"] == "incr"
    assert newest["info"]["repository"]["delta"] < full["info"]["repository"]["delta"] / 2


def test_the_timer_fires_every_hour_and_makes_up_for_missed_ones(backup: Machine) -> None:
    shown = backup.check_output("systemctl show %s -p Persistent -p ActiveState -p UnitFileState", TIMER).split()
    assert sorted(shown) == ["ActiveState=active", "Persistent=yes", "UnitFileState=enabled"]
    answer = json.loads(backup.check_output("systemctl list-timers --output=json %s", TIMER))
    left = answer[0]["next"] / 1e6 - time.time()
    assert 0 < left <= timedelta(hours=1, minutes=5).total_seconds()


def test_every_file_is_encrypted(server: Machine, backup: Machine, saved: str) -> None:
    places = (f"{REPOSITORY}/archive", f"{REPOSITORY}/backup")
    assert int(backup.check_output("find %s %s -type f -size +0 | wc -l", *places)) > 10
    # Blocks of a file are encrypted one by one, without the word that begins other files; bundles may begin with one.
    plain = "find %s %s -type f -size +0 ! -name '*.pgbi' ! -path '*/bundle/*' -exec grep -La '^Salted__' {} +"
    assert backup.check_output(plain, *places) == ""
    assert backup.check_output(plain, "/etc/hostname", places[0]) == "/etc/hostname"
    # The search would find it: it does so in the database's own files.
    sql(server, "CHECKPOINT")
    search = "grep -rla %s %s | wc -l"
    assert int(server.check_output(search, CANARY, "/var/lib/postgresql")) > 0
    assert backup.check_output(search, CANARY, REPOSITORY) == "0"


def test_the_passphrase_is_known_to_the_repository_alone(server: Machine, backup: Machine) -> None:
    secret = backup.variable("vault_backup_cipher_pass")
    # The command line of this very search is in the log of sudo.
    search = "grep -rlaF --exclude-dir=journal --exclude=auth.log --exclude=syslog -f - /etc /root /home /var/lib/art32"
    search = f"printf %s %s | {search} /var/lib/postgresql /var/log"
    assert backup.check_output(search, "%s", secret) == "/etc/pgbackrest/pgbackrest.conf"
    assert server.run(search, "%s", secret).stdout == ""
    file = backup.file("/etc/pgbackrest/pgbackrest.conf")
    assert (file.user, file.group, file.mode) == ("root", "art32-archive", 0o640)


def test_the_passphrase_kept_elsewhere_is_tried(backup: Machine, saved: str) -> None:
    escrow = "printf '%%s\\n' %s | runuser -u pgbackrest -- /usr/local/lib/art32/backup-escrow %s"
    right = backup.run(escrow, backup.variable("vault_backup_cipher_pass"), STANZA)
    assert right.stdout.startswith("This passphrase opens "), right.stdout + right.stderr
    wrong = backup.run(escrow, "another one", STANZA)
    assert wrong.rc == 1
    assert "this passphrase opens no backup" in wrong.stderr


@pytest.fixture
def scratch(server: Machine) -> Iterator[str]:
    """A directory for another cluster, and nothing of it afterwards."""
    yield SCRATCH
    version = sql(server, "SHOW server_version_num")[:2]
    server.run("runuser -u postgres -- /usr/lib/postgresql/%s/bin/pg_ctl -D %s -m immediate stop", version, SCRATCH)
    server.run("rm -rf %s /tmp/scratch.log", SCRATCH)


def test_the_newest_backup_can_be_restored(server: Machine, backup: Machine, saved: str, scratch: str) -> None:
    archive(server)
    version = sql(server, "SHOW server_version_num")[:2]
    restore = "runuser -u postgres -- pgbackrest --stanza=%s --pg1-path=%s restore"
    done = server.run(restore, STANZA, scratch)
    assert done.rc == 0, done.stdout + done.stderr
    options = f"-c config_file=/etc/postgresql/{version}/main/postgresql.conf -c data_directory={scratch} -p 5499"
    options += " -c archive_mode=off -c listen_addresses="
    start = "runuser -u postgres -- /usr/lib/postgresql/%s/bin/pg_ctl -w -D %s -l /tmp/scratch.log -o %s start"
    started = server.run(start, version, scratch, options)
    assert started.rc == 0, server.run("cat /tmp/scratch.log").stdout
    query = f"SELECT count(*) FROM entry WHERE words = '{CANARY} {saved}'"  # noqa: S608 - both are our own
    assert sql(server, query, port=5499) == "1"
    assert sql(server, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'entry'", port=5499) == (
        "platform_owner"
    )


def test_changes_are_archived_within_minutes(server: Machine, backup: Machine) -> None:
    archive(server)
    assert sql(server, "SHOW archive_mode") == "on"
    assert sql(server, "SHOW archive_timeout") == "5min"
    newest = sql(server, "SELECT last_archived_wal FROM pg_stat_archiver")
    assert info(backup)["archive"][-1]["max"] >= newest


def ssh(machine: Machine, account: str, peer: str, command: str, then: str = "") -> str:
    """What comes of a command over the backup's own login."""
    done = machine.run(f"cd / && runuser -u %s -- ssh %s %s </dev/null{then}", account, peer, command)
    return f"{done.rc} {done.stdout}{done.stderr}"


REMOTE = "pgbackrest --exec-id=1-1 --process=0 --remote-type={} --stanza={} {}:remote"


@pytest.mark.parametrize(
    ("here", "command"),
    [
        ("server", ""),
        ("server", "id"),
        ("server", "pgbackrest --stanza=server expire"),
        ("server", REMOTE.format("repo", "server", "expire")),
        ("server", REMOTE.format("repo", "server", "stanza-delete")),
        ("server", REMOTE.format("repo", "other", "archive-push")),
        ("server", REMOTE.format("pg", "server", "archive-push")),
        ("server", REMOTE.format("repo", "server", "archive-push") + " --repo1-path=/etc"),
        ("server", REMOTE.format("repo", "server", "archive-push") + " --config=/tmp/mine"),
        ("server", REMOTE.format("repo", "server", "archive-push") + "; id"),
        ("server", REMOTE.format("repo", "server", "archive-push") + " --pg1-path=/var/lib/postgresql/../../etc"),
        ("backup", "id"),
        ("backup", REMOTE.format("pg", "server", "restore")),
        ("backup", REMOTE.format("repo", "server", "backup")),
        ("backup", REMOTE.format("pg", "other", "backup")),
    ],
)
def test_the_login_runs_nothing_but_the_backup(server: Machine, backup: Machine, here: str, command: str) -> None:
    machine, account, peer = (server, "postgres", "backup") if here == "server" else (backup, "pgbackrest", "server")
    refused = ssh(machine, account, peer, command)
    assert refused.startswith("126 "), refused
    assert "pgbackrest-remote: refused" in refused
    # The same login with what it is for: the protocol's greeting.
    allowed = REMOTE.format("repo", STANZA, "info") if here == "server" else REMOTE.format("pg", STANZA, "check")
    assert ssh(machine, account, peer, allowed, " | grep -ac pgBackRest") == "0 1\n"


def test_nobody_else_can_use_the_key(server: Machine, backup: Machine) -> None:
    assert server.run("runuser -u admin -- cat /etc/art32/identities/pgbackrest").rc != 0
    # Not from another address either: the server's key on the repository host, towards the repository.
    key, certificate = (
        server.file(f"/etc/art32/identities/pgbackrest{suffix}").content_string for suffix in ("", "-cert.pub")
    )
    backup.check_output(
        "umask 077; mkdir -p /root/k; printf %%s %s >/root/k/k; printf %%s %s >/root/k/k-cert.pub", key, certificate
    )
    options = "-i /root/k/k -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    refused = backup.run(f"ssh {options} art32-archive@127.0.0.1 id; rm -r /root/k")
    assert "Permission denied" in refused.stderr
    assert "not from a permitted source address" in backup.check_output(
        "journalctl -q --no-pager -t sshd -t sshd-session -n 30"
    )


@pytest.mark.parametrize("unit", [SERVICE, f"art32-backup-check@{STANZA}.service"])
def test_the_backup_is_shut_in(backup: Machine, unit: str) -> None:
    judged = backup.run(f"systemd-analyze security --no-pager --threshold=15 {unit}")
    assert judged.rc == 0, judged.stdout


def test_a_failure_raises_the_alarm(backup: Machine) -> None:
    assert f"art32-alert@{SERVICE}.service" in backup.check_output("systemctl show -p OnFailure --value %s", SERVICE)
