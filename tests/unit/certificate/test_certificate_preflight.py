"""What is found out before a try at the directory: records of CAA, published limits, profiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from ansible_collections.art32.server.plugins.module_utils.certificate.caa import Record, forbidding, parse_answers
from ansible_collections.art32.server.plugins.module_utils.certificate.limits import (
    Entry,
    limit_problems,
    read_log,
    write_log,
)
from ansible_collections.art32.server.plugins.module_utils.certificate.preflight import Directory, profile_problems

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "https://acme.example.test/dir"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
ENCRYPT = ["letsencrypt.org"]


def record(tag: str, value: str, flags: int = 0) -> Record:
    return Record(flags=flags, tag=tag, value=value)


@pytest.mark.parametrize(
    ("records", "wildcard", "forbidden"),
    [
        ([], False, False),
        ([record("issue", "letsencrypt.org")], False, False),
        ([record("issue", "LetsEncrypt.org ; accounturi=https://a.example/1")], False, False),
        ([record("issue", "ca.example")], False, True),
        ([record("issue", ";")], False, True),
        ([record("issue", "ca.example"), record("issue", "letsencrypt.org")], False, False),
        ([record("issue", "letsencrypt.org; validationmethods=dns-01")], False, True),
        ([record("issue", "letsencrypt.org; validationmethods=dns-01,http-01")], False, False),
        ([record("issuewild", ";")], False, False),
        ([record("issue", "letsencrypt.org"), record("issuewild", ";")], True, True),
        ([record("issue", ";"), record("issuewild", "letsencrypt.org")], True, False),
        ([record("issue", "ca.example")], True, True),
        ([record("iodef", "mailto:a@example.test")], False, False),
        ([record("future", "x", 128)], False, True),
        ([record("future", "x", 0)], False, False),
        ([record("iodef", "mailto:a@example.test", 128)], False, False),
    ],
)
def test_records_forbid_as_the_standard_says(records: list[Record], wildcard: bool, forbidden: bool) -> None:
    told = forbidding(records, ENCRYPT, method="http-01", wildcard=wildcard)
    assert bool(told) is forbidden, told


def test_a_directory_without_a_name_is_forbidden_only_where_all_are() -> None:
    assert forbidding([record("issue", "ca.example")], [], method="http-01", wildcard=False) == ""
    assert forbidding([record("issue", ";")], [], method="http-01", wildcard=False) == 'issue ";"'


def test_answers_are_read() -> None:
    told = parse_answers('{"a.example.test": ["example.test", [[0, "Issue", ";"]]]}')
    assert told == {"a.example.test": ("example.test", [record("issue", ";")])}


def entries(count: int, outcome: str, names: tuple[str, ...], age: timedelta, directory: str = URL) -> list[Entry]:
    time = (NOW - age).isoformat()
    return [Entry(time=time, directory=directory, names=names, outcome=outcome)] * count


A, B = "a.example.test", "b.example.test"


@pytest.mark.parametrize(
    ("log", "names", "says"),
    [
        (entries(4, "issued", (A,), timedelta(days=1)), [A], ""),
        (entries(5, "issued", (A,), timedelta(days=1)), [A], "5 certificates for exactly a.example.test within 7 days"),
        (entries(5, "renewed", (A,), timedelta(days=1)), [A], "5 certificates for exactly"),
        (entries(5, "issued", (B, A), timedelta(days=1)), [A, B], "5 certificates for exactly"),
        (entries(5, "issued", (A,), timedelta(days=1)), [A, B], ""),
        (entries(5, "issued", (A,), timedelta(days=7)), [A], ""),
        (entries(5, "issued", (A,), timedelta(days=1), "https://other.example.test/dir"), [A], ""),
        (entries(50, "issued", (B,), timedelta(days=6)), [A], "50 certificates under example.test within 7 days"),
        (entries(50, "renewed", (B,), timedelta(days=6)), [A], ""),
        (entries(300, "failed", (B,), timedelta(hours=2)), [A], "300 orders of one account within 3 h"),
        (entries(5, "failed", (A, B), timedelta(minutes=59)), [A], "5 failed tries for a.example.test within 1 h"),
        (entries(5, "failed", (A,), timedelta(minutes=60)), [A], ""),
    ],
)
def test_published_limits_are_kept(log: list[Entry], names: list[str], says: str) -> None:
    told = limit_problems(log, URL, names, now=NOW)
    assert len(told) == bool(says), told
    assert says in "".join(told)


def test_it_says_when_the_next_try_is_free() -> None:
    log = [*entries(1, "issued", (A,), timedelta(days=6)), *entries(4, "issued", (A,), timedelta(days=1))]
    assert "wait until 2026-06-02 12:00 UTC" in limit_problems(log, URL, [A], now=NOW)[0]


def test_the_staging_directory_is_for_trials() -> None:
    assert limit_problems(entries(9, "failed", (A,), timedelta(0), STAGING), STAGING, [A], now=NOW) == []


def test_the_log_keeps_what_counts(tmp_path: Path) -> None:
    log = tmp_path / "directory" / "log.jsonl"
    write_log(URL, [A], "issued", now=NOW - timedelta(days=91), log=log)
    write_log(URL, [A, B], "failed", now=NOW, log=log)
    with log.open("a", encoding="utf-8") as stream:
        stream.write('{"time": "cut o')
    assert read_log(log) == [Entry(time=NOW.isoformat(), directory=URL, names=(A, B), outcome="failed")]
    assert read_log(tmp_path / "none") == []


def test_a_profile_that_is_not_offered_is_named() -> None:
    directory = Directory(identities=(), profiles=("shortlived", "tlsserver"))
    options = {"directory": URL, "profile": "long"}
    told = f"{URL} has no profile long (certbot_profile); it offers shortlived, tlsserver"
    assert profile_problems(directory, options) == [told]
    assert profile_problems(directory, {**options, "profile": "tlsserver"}) == []
    assert profile_problems(directory, {**options, "profile": ""}) == []
