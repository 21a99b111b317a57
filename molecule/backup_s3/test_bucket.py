"""Backups in a bucket: they are there, encrypted, over TLS, in the region; who has every key cannot take them away."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.cloud.versions import Endpoint, Version, versions_of

from controls import bucket, test_backup, test_location
from controls.evidence import Store
from controls.machine import Lab
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from controls.environment import Environment
    from controls.machine import Machine

    # Neither boto3 nor its clients have types.
    S3 = Any
    Play = Callable[..., tuple[int, str]]

STANZA = "server"
REGION, ELSEWHERE = "eu-central-1", "us-east-1"
SERVICE, TIMER = f"art32-backup@{STANZA}.service", f"art32-backup@{STANZA}.timer"
CHECK, DRILL = f"art32-backup-check@{STANZA}.service", "art32-restore-drill.service"
REPORT = "/var/lib/art32/drill/report.json"
PLACE = "/var/lib/postgresql/scratch"
CANARY = "canary-4711-in-a-row"
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # as what is only compressed begins
PGBACKREST = f"cd /; runuser -u postgres -- pgbackrest --stanza={STANZA} --log-level-console=error "
errors: Any = import_module("botocore.exceptions")


@pytest.fixture(scope="module")
def name(declaration: Environment) -> str:
    return str(declaration.get("backup_s3_bucket"))


@pytest.fixture(scope="module")
def stolen(declaration: Environment) -> S3:
    """The bucket for somebody who has what is on the server."""
    return bucket.client(declaration)


@pytest.fixture(scope="module")
def owner(declaration: Environment) -> S3:
    """The bucket for somebody who owns the account."""
    return account(declaration, REGION)


def account(declaration: Environment, region: str) -> S3:
    """What the owner of the account has in a region."""
    place = declaration.directory.parent / "aws"
    key, secret = ((place / f"owner-{kind}").read_text(encoding="utf-8") for kind in ("key", "secret"))
    host, authority = declaration.get("backup_s3_endpoint"), declaration.get("backup_s3_ca_file")
    return Endpoint(host=host, region=region, style="path", ca_file=authority, key=key, secret=secret).client()


def sql(server: Machine, query: str) -> str:
    return str(server.check_output("cd /; runuser -u postgres -- psql -XAtq -d platform -c %s", query))


def info(server: Machine, *options: str) -> dict[str, Any]:
    """What the repository says of the stanza."""
    answer = server.check_output(PGBACKREST + "--output=json info " + " ".join(options))
    return dict(json.loads(answer)[0])


def contents(s3: S3, name: str) -> dict[str, bytes]:
    """Every object of the bucket as it is now."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=name, Key=key)["Body"].read() for key in keys}


def there(s3: S3, name: str) -> list[Version]:
    """Every version of every object, as it was written."""
    return [replace(version, newest=False) for version in versions_of(s3, name) if not version.gone]


def started(server: Machine, unit: str) -> None:
    done = server.run("systemctl reset-failed %s; systemctl start %s", unit, unit)
    assert done.rc == 0, server.check_output("journalctl -q --no-pager -n 50 -u %s", unit)


@pytest.fixture(autouse=True, scope="module")
def by_hand(server: Machine) -> Iterator[None]:
    """The hourly backup does not come in between; its timer goes on waiting."""
    place = "/run/systemd/system/art32-backup@.timer.d"
    never = "[Timer]\nOnCalendar=\nOnCalendar=2199-01-01\n"
    restart = f"systemctl daemon-reload; systemctl restart {TIMER}"
    server.check_output(f"mkdir -p %s; printf %%s %s >%s/test.conf; {restart}", place, never, place)
    yield
    server.check_output(f"rm -r %s; {restart}", place)


@pytest.fixture(scope="module")
def saved(server: Machine) -> str:
    """A row that the newest backup holds."""
    words = f"{CANARY} {time.time_ns()}"
    sql(server, "SET ROLE platform_owner; CREATE TABLE IF NOT EXISTS entry (words text)")
    sql(server, f"INSERT INTO entry VALUES ('{words}')")  # noqa: S608 - our own
    started(server, SERVICE)
    return words


def test_there_is_a_full_backup_since_the_first_run_and_then_what_changed(server: Machine, saved: str) -> None:
    found = info(server)
    assert found["status"]["message"] == "ok"
    full, newest = found["backup"][0], found["backup"][-1]
    assert (full["type"], newest["type"]) == ("full", "incr")
    assert newest["info"]["repository"]["delta"] < full["info"]["repository"]["delta"] / 2
    assert not any(made["error"] for made in found["backup"])


def test_the_timers_wait_and_all_is_well(server: Machine, saved: str) -> None:
    for unit in (
        TIMER,
        f"art32-backup-check@{STANZA}.timer",
        "art32-restore-drill.timer",
        "art32-database-check.timer",
    ):
        shown = server.check_output("systemctl show %s -p ActiveState -p UnitFileState", unit).split()
        assert sorted(shown) == ["ActiveState=active", "UnitFileState=enabled"], unit
    started(server, CHECK)
    started(server, "art32-database-check.service")


def test_an_old_backup_is_an_alarm(server: Machine, saved: str) -> None:
    place = "/run/systemd/system/art32-backup-check@.service.d"
    drop = "[Service]\nEnvironment=MAX_AGE_MINUTES=-1\n"
    server.check_output("mkdir -p %s; printf %%s %s >%s/test.conf; systemctl daemon-reload", place, drop, place)
    try:
        assert server.run("systemctl start %s", CHECK).rc != 0
        assert "min old; -1 min are allowed" in server.check_output("journalctl -q --no-pager -n 20 -u %s", CHECK)
        assert f"art32-alert@{CHECK}.service" in server.check_output("systemctl show -P OnFailure %s", CHECK)
    finally:
        server.check_output("rm -r %s; systemctl daemon-reload", place)
    started(server, CHECK)


@pytest.mark.parametrize("unit", [SERVICE, CHECK])
def test_the_backup_is_shut_in(server: Machine, unit: str) -> None:
    judged = server.run(f"systemd-analyze security --no-pager --threshold=15 {unit}")
    assert judged.rc == 0, judged.stdout


def test_every_object_is_encrypted(server: Machine, owner: S3, name: str, saved: str) -> None:
    found = contents(owner, name)
    assert len(found) > 10
    # Blocks of a file are encrypted one by one, without the word that begins other objects; bundles may begin with one.
    whole = {key: content for key, content in found.items() if content and "/bundle/" not in key}
    assert [key for key, content in whole.items() if not content.startswith(b"Salted__")] == []
    assert not any(content.startswith(ZSTANDARD) for content in found.values())
    assert not any(CANARY.encode() in content for content in found.values())
    # The search would find it: it does so in the database's own files.
    sql(server, "CHECKPOINT")
    assert int(server.check_output("grep -rla %s /var/lib/postgresql | wc -l", CANARY)) > 0


def test_only_the_authority_s_endpoint_is_believed(server: Machine, saved: str) -> None:
    wrong = server.run(PGBACKREST + "--io-timeout=1 --repo1-storage-ca-file=/etc/ssl/certs/ca-certificates.crt info")
    assert "unable to verify certificate" in wrong.stdout + wrong.stderr
    assert server.run(PGBACKREST + "info").rc == 0


def test_the_key_is_read_by_the_server_s_account_alone(server: Machine) -> None:
    file = server.file("/etc/pgbackrest/pgbackrest.conf")
    assert (file.user, file.group, file.mode) == ("root", "postgres", 0o640)


def test_the_drill_restores_what_was_there(server: Machine, saved: str) -> None:
    started(server, DRILL)
    report = json.loads(server.file(REPORT).content_string)
    assert report["passed"], report
    assert report["backup"] == info(server)["backup"][-1]["label"]
    assert report["databases"]["platform"]["rows"] > 0


def test_the_passphrase_kept_elsewhere_is_tried(play: Play, server: Machine, saved: str, tmp_path: Path) -> None:
    kept = tmp_path / "passphrase"
    for words, expected in ((server.variable("vault_backup_cipher_pass"), 0), ("another one", 2)):
        kept.write_text(f"{words}\n", encoding="utf-8")
        code, said = play("escrow", escrow_file=str(kept))
        assert code == expected, said
    assert "this passphrase opens no backup" in said


def test_a_region_that_is_not_allowed_is_refused_before_anything_is_touched(play: Play) -> None:
    code, said = play("site", backup_s3_region=ELSEWHERE)
    assert code == 2
    assert "1 problem in the environment; nothing was changed:" in said
    assert f"backup_s3_region: {ELSEWHERE} is not allowed; {REGION} (art32_regions_allowed)" in said
    assert "Log in" not in said


@pytest.fixture
def asking(declaration: Environment, tmp_path: Path) -> Iterator[Lab]:
    """A lab that has asked nothing yet."""
    fresh = Lab(declaration, Store(tmp_path))
    yield fresh
    fresh.connections.close()


def out_of_hands(asking: Lab) -> None:
    machine, declared = asking.machine(STANZA), asking.environment
    asking.collect({STANZA})
    test_backup.test_repository_is_out_of_the_servers_hands(machine, [STANZA], declared)


def in_place(asking: Lab) -> None:
    test_location.test_backups_are_in_an_allowed_region(asking.machine(STANZA), asking.environment)


def test_the_bucket_itself_says_where_it_is_and_that_it_is_locked(asking: Lab) -> None:
    out_of_hands(asking)
    in_place(asking)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("elsewhere", rf"in {ELSEWHERE}; declared is {REGION} \(backup_s3_region\)"),
        ("plain", r"keeps no versions \(never set\); its versions can be deleted \(object lock: not set\)"),
        ("versions", r"^((?!no versions).)*can be deleted \(object lock: not set\)"),
        ("governance", r"can be deleted \(object lock: GOVERNANCE\)"),
        ("short", r"refuses to delete a version for 1 day; 2 are wanted \(backup_s3_lock_days\)"),
    ],
)
def test_what_is_wrong_with_a_bucket_is_found(
    kind: str, complaint: str, asking: Lab, owner: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = f"provider-backup-s3-{kind}"
    locked = kind in ("governance", "short")
    if kind == "elsewhere":
        owner = account(asking.environment, ELSEWHERE)
        owner.create_bucket(Bucket=made)
    else:
        where = {"LocationConstraint": REGION}
        owner.create_bucket(Bucket=made, ObjectLockEnabledForBucket=locked, CreateBucketConfiguration=where)
    if kind == "versions":
        owner.put_bucket_versioning(Bucket=made, VersioningConfiguration={"Status": "Enabled"})
    if locked:
        rule = {"Mode": "GOVERNANCE" if kind == "governance" else "COMPLIANCE", "Days": 1}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}}
        owner.put_object_lock_configuration(Bucket=made, ObjectLockConfiguration=lock)
    monkeypatch.setattr(bucket, "client", lambda _: owner)
    variables = asking.environment.hostvars[STANZA]
    monkeypatch.setitem(variables, "backup_s3_bucket", made)
    if kind == "short":
        monkeypatch.setitem(variables, "backup_s3_lock_days", 2)
    if kind == "elsewhere":
        with pytest.raises(AssertionError, match=complaint):
            in_place(asking)
    else:
        problems = bucket.asked(asking).problems(asking.environment.get("backup_s3_lock_days"))
        assert re.search(complaint, "; ".join(problems)), problems
    owner.delete_bucket(Bucket=made)


@pytest.fixture(scope="module")
def yesterday(server: Machine, owner: S3, name: str, saved: str) -> tuple[str, str, dict[str, str]]:
    """A moment, the newest backup at it, and what the bucket held: a digest by each name."""
    held = {key: hashlib.sha256(content).hexdigest() for key, content in contents(owner, name).items()}
    moment = datetime.now(tz=UTC).replace(microsecond=0)
    time.sleep(2)  # the times of versions are whole seconds
    return moment.isoformat(sep=" "), info(server)["backup"][-1]["label"], held


@pytest.fixture(scope="module")
def attacked(server: Machine, stolen: S3, name: str, yesterday: tuple[str, str, dict[str, str]]) -> list[str]:
    """What was refused to somebody with root on the server and every key on it, who did all else."""
    refused = []

    def attempt(what: str, call: Callable[[], Any]) -> None:
        try:
            answer = call()
        except errors.ClientError as error:
            refused.append(f"{what}: {error.response['Error']['Code']}")
        else:
            refused.extend(f"{what}: {error['Code']}" for error in answer.get("Errors", []))

    before = there(stolen, name)
    # With pgBackRest itself. `postgresql` alone does not wait for its clusters, which archive to their end.
    server.check_output("systemctl stop postgresql 'postgresql@*'")
    server.check_output(PGBACKREST + "stop && " + PGBACKREST + "--force stanza-delete")
    server.check_output(PGBACKREST + "start; systemctl start postgresql")
    # With the key.
    names = {version.name for version in before}
    for key in names:
        stolen.put_object(Bucket=name, Key=key, Body=b"yours for ten coins")
    stolen.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in names]})
    kept = there(stolen, name)
    for version in kept:
        which = {"Bucket": name, "Key": version.name, "VersionId": version.identity}
        attempt("a version", lambda which=which: stolen.delete_object(**which, BypassGovernanceRetention=True))
    for what, call in {
        "versions": lambda: stolen.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"}),
        "lock": lambda: stolen.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        ),
        "lifecycle": lambda: stolen.put_bucket_lifecycle_configuration(
            Bucket=name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "x",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    }
                ]
            },
        ),
        "policy": lambda: stolen.delete_bucket_policy(Bucket=name),
        "bucket": lambda: stolen.delete_bucket(Bucket=name),
    }.items():
        attempt(what, call)
    assert set(before) < set(kept) <= set(there(stolen, name))
    return refused


def test_the_attack_finds_a_limit_and_hides_every_backup(
    server: Machine, stolen: S3, name: str, attacked: list[str]
) -> None:
    assert {line.split(":")[0] for line in attacked} == {
        "a version",
        "versions",
        "lock",
        "lifecycle",
        "policy",
        "bucket",
    }
    assert {line.split(": ")[1] for line in attacked} <= {"AccessDenied", "Forbidden"}
    assert contents(stolen, name) == {}
    assert not info(server)["backup"]


def test_who_owns_the_account_cannot_delete_a_version_either(owner: S3, name: str, attacked: list[str]) -> None:
    one = there(owner, name)[0]
    with pytest.raises(errors.ClientError, match="AccessDenied"):
        owner.delete_object(Bucket=name, Key=one.name, VersionId=one.identity, BypassGovernanceRetention=True)


def restored(server: Machine, label: str, words: str, *options: str) -> None:
    """Restore a backup into a place of its own, and find a row in its files."""
    restore = PGBACKREST + f"--set={label} --pg1-path={PLACE} --type=immediate {' '.join(options)} restore"
    try:
        done = server.run(restore)
        assert done.rc == 0, done.stdout + done.stderr
        assert int(server.check_output("grep -rla %s %s | wc -l", words, PLACE)) > 0
    finally:
        server.check_output("rm -rf %s", PLACE)


def test_newer_versions_read_the_bucket_as_it_was(
    server: Machine, saved: str, yesterday: tuple[str, str, dict[str, str]], attacked: list[str]
) -> None:
    moment, label, _ = yesterday
    if "repo-target-time" not in server.check_output("pgbackrest help restore"):
        server.check_output("grep -q bookworm /etc/os-release")
        pytest.skip("only on Debian 13")
    restored(server, label, saved, f'--repo=1 --repo-target-time="{moment}"')


def test_the_bucket_is_brought_back_and_yesterday_restored(
    play: Play, server: Machine, owner: S3, yesterday: tuple[str, str, dict[str, str]], attacked: list[str]
) -> None:
    moment, label, held = yesterday
    name = server.variable("backup_s3_bucket")
    server.check_output("systemctl stop postgresql 'postgresql@*'")  # which would go on to archive
    code, said = play("bucket", bucket_to=f"'{moment}'")
    assert code == 0, said
    assert "Nothing was changed. To do it: the same command with -e confirm=backup-s3" in said
    assert contents(owner, name) == {}
    code, said = play("bucket", bucket_to=f"'{moment}'", confirm="another")
    assert code == 2
    assert "confirm: another is not allowed; backup-s3" in said
    code, said = play("bucket", bucket_to=f"'{moment}'", confirm="backup-s3")
    assert code == 0, said
    now = {key: hashlib.sha256(content).hexdigest() for key, content in contents(owner, name).items()}
    assert now == held
    code, said = play("bucket", bucket_to=f"'{moment}'")
    assert "Nothing differs." in said, said
    restored(server, label, CANARY)


def test_a_fresh_machine_becomes_the_server(
    play: Play,
    server: Machine,
    declaration: Environment,
    attacked: list[str],
    replace_machine: Callable[[str], None],
) -> None:
    """As the page goes on. Nothing is left but the bucket and what the environment's directory holds."""
    identifier = info(server)["db"][0]["system-id"]
    replace_machine("server")
    subprocess.run([CHECKOUT / "scripts" / "access", "-e", declaration.directory, "forget", "server"], check=True)
    code, said = play("restore")
    assert code == 0, said
    assert "Its backups are in the bucket" in said
    assert "Nothing was changed." in said
    code, said = play("restore", confirm="backup-s3")
    assert code == 0, said
    assert "Restored in" in said
    assert sql(server, f"SELECT count(*) > 0 FROM entry WHERE words LIKE '{CANARY}%'") == "t"  # noqa: S608 - our own
    assert sql(server, "SELECT system_identifier FROM pg_control_system()") == str(identifier)
    started(server, CHECK)  # what was restored was backed up at once
