"""Who has which access today, and what may not be said of a person."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import (
    DeclarationError,
    check_people,
    people_with,
)

JANE = {"name": "jane", "email": "jane@provider.example", "ssh": "admin", "database": "readonly"}
JOE = {"name": "joe", "email": "joe@provider.example", "ssh": "user", "until": date(2026, 12, 31)}


def names(layer: str, today: str) -> list[str]:
    return [person["name"] for person in people_with([JOE, JANE], layer, today)]


@pytest.mark.parametrize(
    ("layer", "today", "expected"),
    [
        ("ssh", "2026-12-31", ["jane", "joe"]),
        ("ssh", "2027-01-01", ["jane"]),
        ("database", "2026-12-31", ["jane"]),
        ("platform", "2026-12-31", []),
    ],
)
def test_a_person_is_in_until_the_end_of_the_last_day(layer: str, today: str, expected: list[str]) -> None:
    assert names(layer, today) == expected


def test_a_person_is_told_with_the_role_of_the_layer_only() -> None:
    assert people_with([JANE], "database") == [
        {"name": "jane", "email": "jane@provider.example", "database": "readonly"},
    ]


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(DeclarationError, match="shh is not allowed; ssh or database or platform"):
        people_with([JANE], "shh")


A_NAME = "lower-case letters, digits and dashes, at most 31, beginning with a letter; no account of the system"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"platform": "boss"}, "people[0].platform: boss is not allowed; staff or administrator"),
        ({"ssh": True}, "people[0].ssh: true is not allowed; admin or user"),
        ({"name": "Jane Doe"}, f"people[0].name: Jane Doe is not allowed; {A_NAME}"),
        ({"name": "postgres"}, f"people[0].name: postgres is not allowed; {A_NAME}"),
        ({"name": "art32-audit"}, f"people[0].name: art32-audit is not allowed; {A_NAME}"),
        ({"email": "jane"}, "people[0].email: jane is not allowed; an e-mail address"),
        ({"until": "soon"}, "people[0].until: soon is not allowed; a date like 2026-12-31"),
        ({"database_certificate": "yes"}, "people[0].database_certificate: yes is not allowed; true or false"),
        ({"databse": "admin"}, "people[0].databse: unknown; did you mean database?"),
    ],
)
def test_refuses_impossible_persons(change: dict[str, Any], message: str) -> None:
    assert [str(problem) for problem in check_people([JANE | change])] == [message]


def test_refuses_a_certificate_for_no_database() -> None:
    said = "people[0].database_certificate: true is not allowed; true only beside database"
    assert [str(problem) for problem in check_people([JOE | {"database_certificate": True}])] == [said]


def test_refuses_one_person_twice() -> None:
    assert [str(problem) for problem in check_people([JANE, JANE | {"email": "j@provider.example"}])] == [
        "people[1].name: jane is not allowed; people[0] has it already",
    ]
