"""The examples of docs/conformance.md do what they say of themselves, as the audit judges it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from controls import sources
from controls.judges import conformance

if TYPE_CHECKING:
    from controls.machine import Machine

EXAMPLES = ["flask", "fastapi", "django"]
PASSWORD = "a long password that nobody guesses"  # noqa: S105 - of a member of the test
ADMIN_PATHS = ["/admin/"]


@pytest.fixture(params=EXAMPLES, scope="module")
def example(server: Machine, request: pytest.FixtureRequest) -> str:
    """The service, with a member of the staff."""
    name = str(request.param)
    add = f"printf '%s' '{PASSWORD}' | art32-manage {name} staff@provider.example staff"
    server.check_output(add)
    return name


@pytest.fixture
def told(server: Machine, example: str) -> dict[str, Any]:
    return dict(json.loads(server.check_output(sources.conformance(example, ["example-conformance"]))))


@pytest.fixture
def inside(server: Machine, example: str) -> dict[str, Any]:
    inner = (sources.SQL / "database.sql").read_text(encoding="utf-8")
    return dict(json.loads(server.check_output(f"cd /; {sources.sql(inner, example)}")))


def status(server: Machine, example: str, path: str, *options: str) -> int:
    """What it answers, asked as nginx does."""
    words = " ".join(
        ["curl", "-sS", "-o", "/dev/null", "-w", "'%{http_code}'", "-H 'X-Forwarded-Proto: https'", *options]
    )
    url = f"--unix-socket /run/art32/{example}.sock http://{example}.example.test{path}"
    return int(server.check_output(f"cd /; runuser -u www-data -- {words} {url}"))


def test_it_speaks_in_the_form_that_was_agreed_on(told: dict[str, Any]) -> None:
    assert conformance.form_problems(told) == []


def test_passwords_are_bcrypt_and_the_database_counts_the_same(told: dict[str, Any], inside: dict[str, Any]) -> None:
    assert conformance.password_problems(told["passwords"], 12) == []
    counted = conformance.stored_passwords(inside["passwords"])
    assert counted == {"bcrypt:12": told["passwords"]["total"]}


def test_every_address_has_a_policy_that_is_enforced(server: Machine, example: str, told: dict[str, Any]) -> None:
    assert conformance.url_problems(told["urls"], ADMIN_PATHS) == []
    paths = conformance.protected(told["urls"])
    assert "/admin/members/" in paths
    for path in paths:
        assert status(server, example, path) in (302, 401), path
    assert status(server, example, told["help"]["path"]) == 200


@pytest.mark.parametrize("example", ["flask", "fastapi"], indirect=True)
def test_who_may_gets_in_and_nobody_else(server: Machine, example: str) -> None:
    asked = "/admin/members/"
    assert status(server, example, asked, f"-u 'staff@provider.example:{PASSWORD}'") == 200
    assert status(server, example, asked, "-u 'staff@provider.example:another password'") == 401
    server.check_output(f"printf '%s' '{PASSWORD}' | art32-manage {example} customer@example.test")
    assert status(server, example, asked, f"-u 'customer@example.test:{PASSWORD}'") == 403


def test_data_is_in_its_database_only(told: dict[str, Any], example: str) -> None:
    assert conformance.store_problems(told["stores"], example, []) == []


def test_activity_is_recorded_and_can_only_be_added_to(
    server: Machine, example: str, told: dict[str, Any], inside: dict[str, Any]
) -> None:
    assert conformance.activity_problems(told["activity"]) == []
    table = told["activity"]["table"]
    assert told["activity"]["count"] >= 1
    relation = inside["relations"][f"public.{table}"]
    others = {what for who, what in relation["grants"] if who != relation["owner"]}
    assert not others & {"UPDATE", "DELETE", "TRUNCATE"}
    assert "A" in [state for _, state in relation["triggers"]]
    for order in (f"UPDATE {table} SET who = who", f"DELETE FROM {table}", f"TRUNCATE {table}"):  # noqa: S608
        refused = server.run(f"cd /; {sources.sql(order, example, writing=True)}")
        assert "activity can only be added to" in refused.stderr, order
