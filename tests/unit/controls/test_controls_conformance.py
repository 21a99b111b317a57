"""Judgements on what a service says of itself, and on what its database and the repository of its backups say."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from controls.judges import backups, conformance

URLS = [
    {
        "pattern": "/login/",
        "name": "login",
        "methods": ["GET", "POST"],
        "policy": "anyone",
        "login": False,
        "admin": False,
    },
    {"pattern": "/logout/", "name": "logout", "methods": ["POST"], "policy": "account", "login": True, "admin": False},
    {"pattern": "/admin/", "name": "admin:index", "methods": ["GET"], "policy": "staff", "login": True, "admin": True},
    {"pattern": "/admin/<app_label>/", "methods": ["GET"], "policy": "staff", "login": True, "admin": True},
    {
        "pattern": "/admin/accounts/account/<path:object_id>/change/",
        "name": "change",
        "methods": ["GET"],
        "policy": "staff",
        "login": True,
        "admin": True,
        "record": True,
    },
    {
        "pattern": "/contacts/<uuid:contact>/",
        "name": "contact",
        "methods": ["GET"],
        "policy": "p",
        "login": True,
        "admin": False,
    },
]
TOLD = {
    "schema": 1,
    "application": {"name": "platform", "version": "1"},
    "passwords": {
        "hasher": "bcrypt_sha256",
        "minimum_cost": 12,
        "hashes": {"bcrypt_sha256:12": 2},
        "total": 2,
        "unusable": 0,
    },
    "urls": URLS,
    "activity": {"table": "activity", "columns": ["at"], "count": 0, "append_only": True},
    "help": {"path": "/help/", "address": "help@example.org"},
    "stores": [{"kind": "postgresql", "database": "platform", "host": "/var/run/postgresql"}],
    "members": [],
}


def test_agreed_form_is_accepted() -> None:
    assert conformance.form_problems(TOLD) == []


@pytest.mark.parametrize("part", list(TOLD))
def test_answer_without_a_part_is_in_another_form(part: str) -> None:
    assert conformance.form_problems({name: value for name, value in TOLD.items() if name != part})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"hasher": "argon2"}, ["new passwords become argon2 of cost 12"]),
        ({"minimum_cost": 10}, ["new passwords become bcrypt_sha256 of cost 10"]),
        ({"hashes": {"bcrypt:12": 1, "bcrypt:10": 3}}, ["3 stored as bcrypt:10"]),
        ({"hashes": {"pbkdf2_sha256:600000": 1}}, ["1 stored as pbkdf2_sha256:600000"]),
        ({"hashes": {"unknown:0": 1}}, ["1 stored as unknown:0"]),
    ],
)
def test_other_hashes_than_bcrypt_of_the_cost_are_named(change: dict[str, Any], said: list[str]) -> None:
    assert conformance.password_problems({**TOLD["passwords"], **change}, 12) == said  # type: ignore[dict-item]


def test_hashes_of_all_columns_are_counted_together() -> None:
    columns = {"a.password": {"bcrypt:12": 1, "unusable": 1}, "b.password": {"bcrypt:12": 2}}
    assert conformance.stored_passwords(columns) == {"bcrypt:12": 3, "unusable": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"login": False}, "asks for no login"),
        ({"pattern": "/backdoor/"}, "lies outside of admin_paths"),
        ({"pattern": "/admin/x/<path:object_id>/"}, "does not check the very record"),
    ],
)
def test_admin_url_that_is_not_guarded_is_named(change: dict[str, Any], said: str) -> None:
    found = conformance.url_problems([{**URLS[2], **change}], ["/admin/"])
    assert found == [] if not said else said in found[0]


def test_address_without_a_policy_is_named() -> None:
    assert conformance.policy_problems({"without_policy": ["/new/"]}) == ["/new/ has no policy"]
    assert conformance.policy_problems({"without_policy": []}) == conformance.policy_problems({}) == []


def test_protected_addresses_are_filled_in_so_that_the_router_knows_them() -> None:
    assert conformance.protected(URLS) == [
        "/admin/",
        "/admin/accounts/",
        "/admin/accounts/account/0/change/",
        "/contacts/00000000-0000-4000-8000-000000000000/",
    ]


def test_path_of_a_name_has_its_parts() -> None:
    assert conformance.path_of(URLS, "contact", contact="7") == "/contacts/7/"
    assert conformance.path_of(URLS, "unknown") == ""


@pytest.mark.parametrize(
    ("store", "is_foreign"),
    [
        ({"kind": "postgresql", "database": "platform", "host": "/var/run/postgresql"}, False),
        ({"kind": "postgresql", "database": "platform", "host": "192.0.2.10"}, False),
        ({"kind": "postgresql", "database": "platform", "host": "203.0.113.9"}, True),
        ({"kind": "postgresql", "database": "shadow", "host": "/var/run/postgresql"}, True),
        ({"kind": "sqlite", "database": "platform", "host": ""}, True),
        ({"kind": "files", "database": "/srv/uploads", "host": ""}, True),
    ],
)
def test_every_store_but_the_declared_database_is_named(store: dict[str, str], is_foreign: bool) -> None:
    assert bool(conformance.store_problems([store], "platform", ["server", "192.0.2.10"])) is is_foreign


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"email": "JOE@example.test"}, []),
        ({"email": "eve@example.org"}, ["eve@example.org is staff but not declared"]),
        ({"email": "eve@example.org", "active": False}, []),
        ({"email": "eve@example.org", "staff": False}, []),
        ({"administrator": True}, ["joe@example.test is an administrator but declared as staff"]),
    ],
)
def test_staff_beyond_the_declared_is_named(member: dict[str, Any], said: list[str]) -> None:
    account = {"email": "joe@example.test", "staff": True, "administrator": False, "active": True, **member}
    assert conformance.staff_problems([account], [{"email": "joe@example.test", "platform": "staff"}]) == said


def stanza(**changes: object) -> list[dict[str, Any]]:
    """A repository with two backups of one host."""
    backup = [
        {"label": name, "error": False, "timestamp": {"stop": stop}} for name, stop in (("old", 100), ("new", 200))
    ]
    status = {"code": 0, "message": "ok"}
    return [
        {
            "name": "server",
            "cipher": "aes-256-cbc",
            "repo": [{"cipher": "aes-256-cbc"}],
            "status": status,
            "backup": backup,
        }
        | changes
    ]


def test_newest_backup_is_the_last_complete_one() -> None:
    assert backups.newest(stanza(), "server").label == "new"
    found = stanza()
    found[0]["backup"][1]["error"] = True
    assert backups.newest(found, "server").label == "old"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (stanza(backup=[]), "no complete backup"),
        (stanza(status={"code": 2, "message": "no valid backups"}), "no valid backups"),
        (stanza(name="another"), "knows nothing of server"),
    ],
)
def test_repository_without_a_backup_that_counts_is_refused(found: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(backups.BackupError, match=said):
        backups.newest(found, "server")


@pytest.mark.parametrize(
    ("change", "is_encrypted"), [({}, True), ({"cipher": "none"}, False), ({"repo": [{"cipher": "none"}]}, False)]
)
def test_one_plain_copy_means_not_encrypted(change: dict[str, Any], is_encrypted: bool) -> None:
    assert backups.is_encrypted(stanza(**change), "server") is is_encrypted


LOGINS = {
    "second_factor": "administrators",
    "idle_minutes": 30,
    "hours": 12,
    "failures": 5,
    "sessions": [{"session": "in order", "allowed": True, "admitted": True}],
    "refused": ["password1234"],
    "accepted": [],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"second_factor": "nobody"}, ["administrators need no second factor"]),
        ({"idle_minutes": 0}, ["an idle session ends after no minutes"]),
        ({"idle_minutes": 121}, ["an idle session ends after 121 minutes"]),
        ({"hours": 25}, ["a session ends after 25 hours"]),
        ({"failures": 0}, ["any number of wrong passwords may be tried at once"]),
        ({"accepted": ["password1234"]}, ["the password 'password1234' is accepted"]),
        ({"refused": []}, ["no common password was tried"]),
        (
            {"sessions": [{"session": "without a second factor", "allowed": False, "admitted": True}]},
            ["a session without a second factor is admitted"],
        ),
        (
            {"sessions": [{"session": "in order", "allowed": True, "admitted": False}]},
            ["a session in order is refused"],
        ),
    ],
)
def test_logins_that_let_strangers_in_are_named(change: dict[str, Any], said: list[str]) -> None:
    assert conformance.login_problems({**LOGINS, **change}) == said


ACTIVITY = {
    "table": "activity",
    "columns": ["at"],
    "count": 2,
    "append_only": True,
    "actions": ["change", "export", "insert", "login", "refused", "removal", "view"],
    "unrecorded": [],
    "chain": {"head": "2:abc", "length": 2, "problem": ""},
}


RECORD = {"pattern": "/contacts/<uuid:contact>/", "methods": ["GET"], "record": True}
ATTEMPT = {
    "who": "outsider",
    "pattern": "/contacts/<uuid:contact>/",
    "method": "GET",
    "answer": 404,
    "refused": True,
    "shown": False,
    "list": False,
}


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ({}, []),
        ({"answer": 200, "refused": False}, ["GET /contacts/<uuid:contact>/ as outsider answers 200"]),
        ({"answer": 500, "refused": False}, ["GET /contacts/<uuid:contact>/ as outsider answers 500"]),
        ({"answer": 200, "refused": False, "list": True}, []),
        ({"answer": 500, "refused": False, "list": True}, ["GET /contacts/<uuid:contact>/ as outsider answers 500"]),
        (
            {"answer": 200, "refused": False, "list": True, "shown": True},
            ["GET /contacts/<uuid:contact>/ as outsider shows another's records"],
        ),
        ({"method": "POST"}, ["GET /contacts/<uuid:contact>/ was not tried"]),
    ],
)
def test_stranger_that_gets_at_a_record_is_named(attempt: dict[str, Any], said: list[str]) -> None:
    tried = {**ATTEMPT, **attempt}
    assert conformance.form_problems({**TOLD, "attempts": [tried]}) == []
    assert conformance.attempt_problems([tried], [RECORD]) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"append_only": False}, ["rows can be rewritten"]),
        ({"actions": ["insert", "change", "removal", "login", "refused", "export"]}, ["view leaves no row"]),
        ({"unrecorded": ["customers_contact"]}, ["changes of customers_contact leave no row"]),
        (
            {"chain": {"head": "1:a", "length": 1, "problem": "link 2 is missing"}},
            ["its chain is broken: link 2 is missing"],
        ),
    ],
)
def test_activity_with_gaps_is_named(change: dict[str, Any], said: list[str]) -> None:
    assert conformance.activity_problems({**ACTIVITY, **change}) == said


@pytest.mark.parametrize(
    ("contact", "due_on", "said"),
    [
        ("1", "2026-11-24", []),
        ("1", "2026-11-23", ["the training of a primary contact of Own was due 2026-11-23"]),
        ("1", "", ["a primary contact of Own is not trained"]),
        ("", "", ["Own has no primary contact"]),
    ],
)
def test_overdue_training_is_named(contact: str, due_on: str, said: list[str]) -> None:
    line = {"organisation": "Own", "contact": contact, "due_on": due_on}
    assert conformance.training_problems([line], date(2026, 11, 24)) == said


def test_endless_access_of_staff_is_named() -> None:
    access = [
        {"email": "a@example.org", "organisation": "Own", "until": "2026-12-31"},
        {"email": "b@example.org", "organisation": "Own", "until": ""},
    ]
    assert conformance.access_problems(access) == ["b@example.org sees Own without an end"]
