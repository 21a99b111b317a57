"""A declared service with its defaults, and what may not be said of one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import (
    DeclarationError,
    check_services,
    service,
    services_on,
)

PLATFORM: dict[str, Any] = {
    "name": "platform",
    "domain": "platform.example.test",
    "source": {"wheel": "platform.whl"},
    "application": {"wsgi": "art32_platform.wsgi:application"},
    "database": "platform",
}
A_DOMAIN = "a host name in lower case like platform.example.test, without blanks"
EXTENSIONS = (
    "a list of extensions like pg_trgm, none that leads out of the database"
    " (adminpack, dblink, file_fdw, pglogical, postgres_fdw)"
)
A_SOURCE = "{wheel: PATH}, {package: NAME, version: VERSION} or {checkout: PATH}"


def test_a_service_has_every_key() -> None:
    found = service([PLATFORM], "platform")
    assert found["socket"] == "/run/art32/platform.sock"
    assert found["account_header"] == "X-Account"
    assert found["health"] == "/healthz"
    assert found["secrets"] == {}


def test_a_plain_key_that_yaml_takes_for_true_is_understood() -> None:
    assert service([PLATFORM | {True: "app"}], "platform")["on"] == "app"


@pytest.mark.parametrize(("groups", "expected"), [(["app"], ["platform"]), (["jobs", "web"], ["worker"]), ([], [])])
def test_a_host_runs_the_services_of_its_groups(groups: list[str], expected: list[str]) -> None:
    worker = {"name": "worker", "domain": "worker.example.test", "database": "worker", True: "jobs"}
    assert [entry["name"] for entry in services_on([PLATFORM, PLATFORM | worker], groups)] == expected


def test_an_unknown_service_is_refused_with_the_nearest() -> None:
    with pytest.raises(DeclarationError, match=r"platfrom is not allowed; a name in services \(did you mean platform"):
        service([PLATFORM], "platfrom")


def units_of_the_collection() -> set[str]:
    """What stands between art32- and the suffix in the names of its own units."""
    roles = Path(__file__).resolve().parents[3] / "roles"
    files = [path.name for path in roles.rglob("art32-*") if "systemd" in path.parts]
    found = {re.match(r"art32-([a-z-]+)@?\.(?:service|timer)", name) for name in files}
    return {match[1] for match in found if match}


@pytest.mark.parametrize(
    "name", ["daemon", "revert-sshd", "shop-candidate", "shop-migrate", "shop-restored", *units_of_the_collection()]
)
def test_no_service_takes_an_account_or_a_unit_of_the_system(name: str) -> None:
    (problem,) = check_services([PLATFORM | {"name": name}])
    assert str(problem) == (
        f"services[0].name: {name} is not allowed; lower-case letters, digits and dashes, at most 23; "
        "this one is the system's"
    )


TAKEN = "services[0] has this name; every name leads to one service"
LOCATIONS = (
    "is not allowed; a list of {path: /reports/, directives: [nginx's own, without ;,"
    " none of them add_header or access_log]}"
)
ALIASES = "is not allowed; a list of further host names that lead to the domain; *.NAME for all directly under one"
A_STATIC = "a list of {path: /static/, directory: /srv/site/}, both ending in /, optionally with expires like 1h"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"processes": [{"name": "Worker", "run": ["work"]}]},
            "services[0].processes[0].name: Worker is not allowed; lower-case letters, digits and dashes, at most 23",
        ),
        (
            {"processes": [{"name": "a", "run": ["work"]}], "jobs": [{"name": "a", "run": ["x"], "at": "daily"}]},
            "services[0].jobs[0].name: a is not allowed; a name of its own",
        ),
        (
            {"jobs": [{"name": "a", "run": ["x"]}]},
            "services[0].jobs[0].at: missing; a time like hourly or *-*-* 03:00:00 (systemd.time(7))",
        ),
        (
            {"sandbox": {"PrivateTmpp": "no"}},
            (
                'services[0].sandbox: {"PrivateTmpp": "no"} is not allowed; PrivateTmpp cannot be set here; '
                "did you mean PrivateTmp?"
            ),
        ),
        (
            {"sandbox": {"PrivateTmp": False}},
            (
                'services[0].sandbox: {"PrivateTmp": false} is not allowed; a mapping of directives of systemd.exec(5) '
                "to one line of text, or a list of lines, for systemd; yes and no in quotes"
            ),
        ),
        (
            {"secret_variables": ["TOKEN"]},
            "services[0].secret_variables[0]: TOKEN is not allowed; a name in services[0].secrets",
        ),
        (
            {"domain": "platform example.test"},
            f"services[0].domain: platform example.test is not allowed; {A_DOMAIN}",
        ),
        ({"domain": "localhost"}, f"services[0].domain: localhost is not allowed; {A_DOMAIN}"),
        (
            {"application": {"wsgi": "nothing"}},
            'services[0].application: {"wsgi": "nothing"} is not allowed; {asgi: module:name} or {wsgi: module:name}',
        ),
        ({"source": {"git": "x"}}, f'services[0].source: {{"git": "x"}} is not allowed; {A_SOURCE}'),
        ({"source": {"package": "x"}}, "services[0].source.version: missing; a version"),
        (
            {"secrets": {"KEY": ["not-to-be-shown"]}},
            "services[0].secrets: the value (hidden) is not allowed; a mapping of names to texts",
        ),
        (
            {"aliases": ["www.example.test", PLATFORM["domain"]]},
            f"services[0].aliases[1]: {PLATFORM['domain']} is not allowed; {TAKEN}",
        ),
        (
            {"extensions": ["pg_trgm", "dblink"]},
            f'services[0].extensions: ["pg_trgm", "dblink"] is not allowed; {EXTENSIONS}',
        ),
        (
            {"extensions": ["pg_trgm; DROP"]},
            f'services[0].extensions: ["pg_trgm; DROP"] is not allowed; {EXTENSIONS}',
        ),
        (
            {"static": [{"path": "/static", "directory": "/srv/site/"}]},
            f'services[0].static: [{{"path": "/static", "directory": "/srv/site/"}}] is not allowed; {A_STATIC}',
        ),
        (
            {"locations": [{"path": "/x/", "directives": ["add_header X y"]}]},
            f'services[0].locations: [{{"path": "/x/", "directives": ["add_header X y"]}}] {LOCATIONS}',
        ),
        (
            {"locations": [{"path": "/x/", "directives": ["access_log off"]}]},
            f'services[0].locations: [{{"path": "/x/", "directives": ["access_log off"]}}] {LOCATIONS}',
        ),
        (
            {"locations": [{"path": "/x/", "directives": ["return 200; }"]}]},
            f'services[0].locations: [{{"path": "/x/", "directives": ["return 200; }}"]}}] {LOCATIONS}',
        ),
        (
            {"aliases": ["www.*.example.test"]},
            f'services[0].aliases: ["www.*.example.test"] {ALIASES}',
        ),
        (
            {"login_paths": ["login"]},
            'services[0].login_paths: ["login"] is not allowed; a list of paths like /login/',
        ),
        ({"healt": "/"}, "services[0].healt: unknown; did you mean health?"),
    ],
)
def test_refuses_impossible_services(change: dict[str, Any], message: str) -> None:
    assert [str(problem) for problem in check_services([PLATFORM | change])] == [message]


def test_refuses_extensions_without_a_database() -> None:
    entry = {key: value for key, value in PLATFORM.items() if key != "database"} | {"extensions": ["pg_trgm"]}
    assert [str(problem) for problem in check_services([entry])] == [
        'services[0].extensions: ["pg_trgm"] is not allowed; extensions only beside services[0].database'
    ]


def test_refuses_two_services_on_one_socket() -> None:
    second = PLATFORM | {"domain": "other.example.test", "database": "other"}
    assert [str(problem) for problem in check_services([PLATFORM, second])] == [
        (
            "services[1].name: platform is not allowed;"
            " services[0] has this socket /run/art32/platform.sock; every service has its own"
        ),
    ]


@pytest.mark.parametrize("key", ["domain", "database"])
def test_refuses_what_two_services_may_not_share(key: str) -> None:
    second = {"name": "other", "domain": "other.example.test", "database": "other"} | {key: PLATFORM[key]}
    assert [str(problem) for problem in check_services([PLATFORM, PLATFORM | second])] == [
        f"services[1].{key}: {PLATFORM[key]} is not allowed; services[0] has this {key}; every service has its own",
    ]
