"""What the load met, and what the host knows of its releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine

SAMPLE = "/srv/sample"
HANGS = "HANGS_AS_CURRENT"
Case = dict[str, Any]


@pytest.fixture(scope="module")
def cases(pytestconfig: pytest.Config) -> list[Case]:
    """Those that were tried."""
    folder = Path(pytestconfig.getoption("environment")).resolve().parent
    return list(json.loads((folder / "cases.json").read_text(encoding="utf-8")))


@pytest.fixture(params=["sample", "async"])
def load(server: Machine, request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads(server.file(f"/run/load-{request.param}/result.json").content_string))


def test_a_declared_maintenance_is_told_and_short(load: dict[str, Any]) -> None:
    assert 0 < load["maintained"] < load["sent"] / 10


def test_only_what_a_hanging_release_took_was_asked_again(server: Machine, cases: list[Case]) -> None:
    """Where a worker lost a request, nginx asks again; nothing but a release that hangs loses any."""
    lost = server.run("grep -c 'prematurely closed\\|reset by peer\\|refused' /var/log/nginx/error.log").stdout.strip()
    assert (int(lost) > 0) is any(HANGS in case["constants"] for case in cases), server.check_output(
        "tail -n 20 /var/log/nginx/error.log"
    )


@pytest.fixture
def record(server: Machine) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.file(f"{SAMPLE}/releases.jsonl").content_string.splitlines()]


def database(server: Machine, question: str) -> str:
    return str(server.check_output(f'cd /; runuser -u postgres -- psql -XAt sample -c "{question}"'))


def test_no_request_failed(load: dict[str, Any]) -> None:
    assert load["failed"] == []
    assert load["sent"] > 2000
    assert load["rate"] > 45


def test_only_healthy_releases_answered(load: dict[str, Any]) -> None:
    assert {"one", "two", "twelve"} <= set(load["releases"])
    # Six and ten turn out to be bad only once they serve.
    assert not {"three", "four", "five", "seven", "eight", "nine", "eleven", "fourteen", "sixteen"} & set(
        load["releases"]
    )


def test_every_release_is_recorded(record: list[dict[str, Any]], cases: list[Case]) -> None:
    assert {entry["by"] for entry in record} == {"jane"}
    # A full disk may have no room for its line.
    told = [entry for entry in record if "No space left" not in entry.get("error", "")]
    assert [entry["result"] for entry in told] == [
        "released",
        *("refused" if "refused" in case else "released" for case in cases if "full" not in case),
        *("released", "rolled back", "released", "rolled back"),
    ]
    assert [entry.get("reason") for entry in record if entry["result"] == "rolled back"][:1] == ["ticket-4711"]


def test_of_two_deploys_at_once_one_did_the_work(record: list[dict[str, Any]]) -> None:
    assert len([entry for entry in record if entry.get("reason") in ("first", "second")]) == 1


def test_a_maintenance_is_recorded_and_over(server: Machine, record: list[dict[str, Any]]) -> None:
    assert len([entry for entry in record if entry.get("maintenance_seconds")]) == 1
    assert server.run("ls -A /run/art32-maintenance").stdout == ""
    assert not server.file("/run/art32/sample.maintenance").exists


def test_migrations_ran_once_as_the_owner_who_cannot_log_in(server: Machine, cases: list[Case]) -> None:
    """Those that failed later were migrated; what a failed or killed migration did was left undone."""
    told = database(server, "select string_agg(release || ' ' || who, ', ' order by number) from migration")
    unmigrated = {"MIGRATION_FAILS", "MIGRATION_HANGS"}
    able = [case for case in cases if "full" not in case and not unmigrated & set(case["constants"])]
    migrated = ["one", *(case["constants"]["RELEASE"] for case in able if case["constants"]), "thirteen"]
    assert told == ", ".join(f"{release} sample_owner" for release in migrated)
    assert database(server, "select rolcanlogin from pg_roles where rolname = 'sample_owner'") == "f"


def test_the_job_ran_from_the_release_that_serves(server: Machine) -> None:
    assert database(server, "select string_agg(release, ' ') from work") == "one"


def test_programs_that_are_declared_no_longer_are_gone(server: Machine) -> None:
    for unit in ("worker.service", "note.service", "note.timer"):
        assert not server.file(f"/etc/systemd/system/art32-sample.{unit}").exists
    assert server.run("systemctl list-units --all --plain --no-legend 'art32-sample.*.*'").stdout == ""


def test_the_right_release_serves(server: Machine, record: list[dict[str, Any]]) -> None:
    current = server.check_output(f"readlink {SAMPLE}/current").removeprefix("releases/")
    process = server.check_output("systemctl show -P MainPID art32-sample.service")
    assert current == record[-1]["release"] == record[0]["release"]
    assert server.check_output(f"readlink /proc/{process}/cwd") == f"{SAMPLE}/releases/{current}"


def test_old_releases_are_pruned_refused_ones_first(server: Machine, record: list[dict[str, Any]]) -> None:
    kept = set(server.check_output(f"ls {SAMPLE}/releases").split())
    good = list(dict.fromkeys(entry["release"] for entry in reversed(record) if entry["result"] != "refused"))
    assert kept == set(good[:3])


def test_nothing_is_left_of_the_candidates(server: Machine) -> None:
    assert not server.file(f"{SAMPLE}/candidate").exists
    assert not server.file(f"{SAMPLE}/.owner-login").exists
    assert not server.file("/run/art32/sample-candidate.sock").exists
    assert not server.service("art32-sample-candidate").is_running


def test_nobody_but_root_can_change_a_release(server: Machine) -> None:
    assert server.check_output(f"find {SAMPLE}/ ! -type l '(' ! -user root -o -perm /022 ')'") == ""
