"""Who owns the database host, and every credential on it, cannot take yesterday's backups from the repository."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

STANZA = "server"
REPOSITORY = "/var/lib/pgbackrest"
# Every request of pgBackRest's protocol travels under the name of a command that the login lets through.
DISGUISE = """#!/bin/sh
for word; do
  shift
  set -- "$@" "$(printf %s "$word" | sed -E 's/ [a-z-]+:remote/ archive-push:remote/')"
done
exec ssh "$@"
"""


@pytest.fixture(scope="module")
def attacker(server: Machine, backup: Machine) -> Iterator[Machine]:
    """The server in the wrong hands; what it began to write in vain goes with the end of the attack."""
    server.check_output("printf %%s %s >/tmp/disguise; chmod 0755 /tmp/disguise", DISGUISE)
    yield server
    server.check_output("rm /tmp/disguise")
    backup.check_output("find %s -user art32-archive -name '*.pgbackrest.tmp' -delete", REPOSITORY)


def attack(server: Machine, *words: str, given: str = "") -> str:
    """What comes of a command of pgBackRest that the repository would refuse under its own name."""
    command = "cd /; printf %s %s | runuser -u postgres -- pgbackrest --stanza=%s --cmd-ssh=/tmp/disguise"
    command += " --log-level-console=error " + " ".join(["%s"] * len(words))
    done = server.run(command, "%s", given, STANZA, *words)
    return f"{done.rc} {done.stdout}{done.stderr}"


def as_the_account(backup: Machine, command: str, *places: str) -> str:
    """What comes of a shell of the account that the server logs in as: more than its login lets through."""
    done = backup.run(f"cd /; runuser -u art32-archive -- sh -c %s sh {' '.join(places)}", command)
    return f"{done.rc} {done.stdout}{done.stderr}"


def contents(backup: Machine) -> dict[str, str]:
    """Every file of the repository that was there at the last backup, with its checksum."""
    places = [f"{REPOSITORY}/{part}" for part in ("archive", "backup")]
    found = backup.check_output("find %s %s -type f -user pgbackrest -exec sha256sum {} +", *places)
    return {path: digest for digest, path in (line.split(maxsplit=1) for line in found.splitlines())}


@pytest.fixture(scope="module")
def yesterday(server: Machine, backup: Machine) -> dict[str, str]:
    """What is in the repository after a regular backup."""
    started = backup.run("systemctl start art32-backup@%s.service", STANZA)
    assert started.rc == 0, backup.check_output("journalctl -n 50 -u art32-backup@%s", STANZA)
    return contents(backup)


def test_the_attack_works_where_nothing_is_sealed(
    attacker: Machine, backup: Machine, yesterday: dict[str, str]
) -> None:
    assert "backup.info" in attack(attacker, "repo-ls", f"backup/{STANZA}")
    (place,) = backup.check_output("ls -d %s/archive/%s/*/", REPOSITORY, STANZA).split()
    mine = f"{place.removeprefix(REPOSITORY + '/')}mine-{secrets.token_hex(4)}"
    for words in ("first", "second"):
        assert attack(attacker, "repo-put", "--raw", mine, given=words).startswith("0")
        assert backup.file(f"{REPOSITORY}/{mine}").content_string == words
    assert as_the_account(backup, 'rm "$1"', f"{REPOSITORY}/{mine}").startswith("0")
    assert not backup.file(f"{REPOSITORY}/{mine}").exists


@pytest.mark.parametrize(
    "command",
    [
        'rm -rf "$@"',
        'find "$@" -type f -delete',
        'find "$@" -type f -exec truncate --size=0 {} +',
        'find "$@" -exec chmod 0777 {} +',
        'for path; do mv "$path" /tmp/gone || mv "$path"/* /tmp; done',
        'find "$@" -type f -exec ln -sf /etc/hostname {} ";"',
        'find "$@" -type d -exec rmdir {} +',
    ],
)
def test_the_account_destroys_nothing(
    attacker: Machine, backup: Machine, yesterday: dict[str, str], command: str
) -> None:
    places = [f"{REPOSITORY}/{part}" for part in ("archive", "backup")]
    places += [f"{place}/{STANZA}" for place in places] + [REPOSITORY]
    told = as_the_account(backup, command, *places)
    assert "denied" in told or "not permitted" in told, told
    assert yesterday.items() <= contents(backup).items()


@pytest.mark.parametrize("name", [f"backup/{STANZA}/backup.info", f"archive/{STANZA}/archive.info"])
def test_nothing_is_overwritten(attacker: Machine, backup: Machine, yesterday: dict[str, str], name: str) -> None:
    for target in (name, f"{name}.copy", f"{name}.pgbackrest.tmp"):
        refused = attack(attacker, "repo-put", "--raw", target, given="gone")
        assert not refused.startswith("0"), refused
    assert yesterday.items() <= contents(backup).items()


def test_no_change_of_yesterday_is_overwritten(attacker: Machine, backup: Machine, yesterday: dict[str, str]) -> None:
    segments = [path for path in yesterday if f"/archive/{STANZA}/" in path and "info" not in path]
    for path in segments[-2:]:
        name = path.removeprefix(f"{REPOSITORY}/")
        assert not attack(attacker, "repo-put", "--raw", name, given="gone").startswith("0")
    assert segments
    assert yesterday.items() <= contents(backup).items()


@pytest.mark.parametrize("command", [["stanza-delete", "--force"], ["expire", "--repo1-retention-full=1"]])
def test_the_repositorys_own_commands_are_not_the_servers(
    attacker: Machine, backup: Machine, yesterday: dict[str, str], command: list[str]
) -> None:
    assert not attack(attacker, *command).startswith("0")
    assert yesterday.items() <= contents(backup).items()


def test_the_key_opens_no_other_file(attacker: Machine, backup: Machine) -> None:
    private = "/etc/art32/identities/pgbackrest"
    assert backup.run("runuser -u art32-archive -- cat %s", private).rc != 0
    assert backup.run("runuser -u pgbackrest -- cat %s", private).rc == 0


def test_yesterday_can_be_restored_after_the_attack(
    attacker: Machine, backup: Machine, yesterday: dict[str, str]
) -> None:
    newest = json.loads(backup.check_output("runuser -u pgbackrest -- pgbackrest --output=json info"))[0]["backup"][-1]
    place = "/var/lib/postgresql/after-the-attack"
    restore = "cd /; runuser -u postgres -- pgbackrest --stanza=%s --set=%s --pg1-path=%s --type=immediate restore"
    done = attacker.run(restore, STANZA, newest["label"], place)
    assert done.rc == 0, done.stdout + done.stderr
    assert attacker.file(f"{place}/PG_VERSION").exists
    attacker.check_output("rm -rf %s", place)
    # And the next backup is as good as any.
    assert backup.run("systemctl start art32-backup@%s.service", STANZA).rc == 0
