"""What the load met, and what the host knows of its releases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine

SAMPLE = "/srv/sample"


@pytest.fixture
def load(server: Machine) -> dict[str, Any]:
    return dict(json.loads(server.file("/run/load/result.json").content_string))


@pytest.fixture
def record(server: Machine) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.file(f"{SAMPLE}/releases.jsonl").content_string.splitlines()]


def database(server: Machine, question: str) -> str:
    return str(server.check_output(f'cd /; runuser -u postgres -- psql -XAt sample -c "{question}"'))


def test_no_request_failed(load: dict[str, Any]) -> None:
    assert load["sent"] > 500
    assert load["failed"] == []


def test_only_healthy_releases_answered(load: dict[str, Any]) -> None:
    assert {"one", "two"} <= set(load["releases"])
    assert not {"three", "four", "five"} & set(load["releases"])


def test_every_release_is_recorded(record: list[dict[str, Any]]) -> None:
    assert [entry["result"] for entry in record] == ["released", "released", *["refused"] * 4, "released"]
    assert {entry["by"] for entry in record} == {"jane"}
    assert "500" in record[-2]["error"] or "failed" in record[-2]["error"]


def test_migrations_ran_once_as_the_owner_who_cannot_log_in(server: Machine) -> None:
    # Those that failed later were migrated; the one whose migration failed left nothing.
    told = database(server, "select string_agg(release || ' ' || who, ', ' order by number) from migration")
    assert told == ", ".join(f"{release} sample_owner" for release in ("one", "two", "three", "four", "six"))
    assert database(server, "select rolcanlogin from pg_roles where rolname = 'sample_owner'") == "f"


def test_the_right_release_serves(server: Machine, record: list[dict[str, Any]]) -> None:
    current = server.check_output(f"readlink {SAMPLE}/current").removeprefix("releases/")
    process = server.check_output("systemctl show -P MainPID art32-sample.service")
    assert current == record[-1]["release"] == record[0]["release"]
    assert server.check_output(f"readlink /proc/{process}/cwd") == f"{SAMPLE}/releases/{current}"


def test_old_releases_are_pruned_refused_ones_first(server: Machine, record: list[dict[str, Any]]) -> None:
    kept = set(server.check_output(f"ls {SAMPLE}/releases").split())
    good = {entry["release"] for entry in record if entry["result"] == "released"}
    assert good <= kept
    assert len(kept) == 3


def test_nothing_is_left_of_the_candidates(server: Machine) -> None:
    assert not server.file(f"{SAMPLE}/candidate").exists
    assert not server.file(f"{SAMPLE}/.owner-login").exists
    assert not server.file("/run/art32/sample-candidate.sock").exists
    assert not server.service("art32-sample-candidate").is_running


def test_nobody_but_root_can_change_a_release(server: Machine) -> None:
    assert server.check_output(f"find {SAMPLE}/ ! -type l '(' ! -user root -o -perm /022 ')'") == ""
