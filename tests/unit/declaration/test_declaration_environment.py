"""What declarations say of one another, and how problems are told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration.environment import (
    check_environment,
    hide,
    in_lines,
)
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import Problem

PEOPLE = [
    {"name": "jane", "email": "jane@provider.example", "ssh": "admin"},
    {"name": "joe", "email": "joe@provider.example", "ssh": "user"},
    {"name": "jim", "email": "jim@provider.example", "ssh": "admin", "until": "2020-01-01"},
]
CERTIFIED = {"database": "readonly", "database_certificate": True}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"art32_region": "us-east-1", "art32_regions_allowed": ["eu-central-1"]},
            "art32_region: us-east-1 is not allowed; eu-central-1 (art32_regions_allowed)",
        ),
        (
            {"people": PEOPLE, "access_person": "joe"},
            "access_person: joe is not allowed; a person of people with ssh: admin",
        ),
        (
            {"people": PEOPLE, "access_person": "jim"},
            "access_person: jim is not allowed; a person of people with ssh: admin",
        ),
        (
            {"people": PEOPLE, "access_person": "jame"},
            "access_person: jame is not allowed; a person of people with ssh: admin (did you mean jane?)",
        ),
        (
            {
                "people": [*PEOPLE, PEOPLE[1] | {"name": "ann", "email": "a@b.example"} | CERTIFIED],
                "postgresql_client_ca": "",
            },
            "postgresql_client_ca: missing; the certificate of the authority that signs those of ann, in PEM",
        ),
    ],
)
def test_refuses_contradictions(values: dict[str, Any], message: str) -> None:
    assert [str(problem) for problem in check_environment(values, {})] == [message]


def test_refuses_backups_on_the_host_of_the_database() -> None:
    groups = {"database": ["server"], "backup_repository": ["server"]}
    assert [str(problem) for problem in check_environment({}, groups)] == [
        "group backup_repository: server is not allowed; another host than the database's own",
    ]


IN_A_BUCKET = {
    "backup_repository": "s3",
    "cloud_bucket": "provider-backups",
    "backup_s3_key": "id",
    "backup_s3_key_secret": "secret",
    "art32_region": "eu-central-1",
    "art32_regions_allowed": ["eu-central-1"],
}


@pytest.mark.parametrize(
    ("changed", "hosts", "messages"),
    [
        ({}, [], []),
        ({"backup_s3_region": "eu-central-1"}, [], []),
        (
            {"backup_s3_region": "us-east-1"},
            [],
            ["backup_s3_region: us-east-1 is not allowed; eu-central-1 (art32_regions_allowed)"],
        ),
        (
            {"art32_region": "us-east-1", "backup_s3_region": "us-east-1"},
            [],
            ["art32_region: us-east-1 is not allowed; eu-central-1 (art32_regions_allowed)"],
        ),
        (
            {"backup_s3_bucket": "", "backup_s3_key_secret": ""},
            [],
            [
                "backup_s3_key_secret: missing; a text, not empty, while backup_repository is s3",
                "backup_s3_bucket: missing; a text, not empty, while backup_repository is s3",
            ],
        ),
        ({}, ["backup"], ['group backup_repository: ["backup"] is not allowed; no host while backup_repository is s3']),
        ({"backup_repository": "host", "backup_s3_region": "us-east-1", "backup_s3_key": ""}, ["backup"], []),
    ],
)
def test_a_bucket_is_whole_in_its_place_and_alone(
    changed: dict[str, str], hosts: list[str], messages: list[str]
) -> None:
    groups = {"database": ["server"], "backup_repository": hosts}
    assert [str(problem) for problem in check_environment(IN_A_BUCKET | changed, groups)] == messages


def test_a_value_from_the_vault_is_never_shown() -> None:
    planted = Problem(variable="app_motto", value=["by planted-secret"], allowed="a text")
    plain = Problem(variable="app_motto", value=["by heart"], allowed="a text")
    shown = [str(problem) for problem in hide([planted, plain], {"planted-secret"})]
    assert shown == [
        "app_motto: the value (hidden) is not allowed; a text",
        'app_motto: ["by heart"] is not allowed; a text',
    ]


def test_hosts_are_named_when_only_some_have_the_problem() -> None:
    one, other = (Problem(variable=name, kind="missing", allowed="a text") for name in ("a", "b"))
    assert in_lines({"server": [one, other], "backup": [one]}) == ["a: missing; a text", "b: missing; a text [server]"]
