"""How checks become verdicts, and which of them let an audit succeed."""

from __future__ import annotations

from datetime import date

import pytest

from controls.verdict import STATUSES, Check, Exceptions, Status, combine, open_points

TODAY = date(2026, 11, 24)
WAIVER = {"control": "NET-1", "reason": "a test", "owner": "jane", "until": date(2026, 11, 24)}


def check(
    status: Status, *, control: str = "NET-1", host: str | None = "server", name: str = "a port is shut"
) -> Check:
    """A check that found something."""
    return Check(control=control, host=host, name=name, status=status, reason="" if status == "met" else "because")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (["met"], "met"),
        (["met", "waived"], "waived"),
        (["met", "waived", "not assessed"], "not assessed"),
        (["not met", "not assessed", "waived", "met"], "not met"),
    ],
)
def test_worst_check_decides(found: list[Status], status: Status) -> None:
    checks = [check(state, name=f"check {number}") for number, state in enumerate(found)]
    (verdict,) = combine(checks, ["NET-1"])
    assert verdict.status == status


def test_statuses_stand_worst_first() -> None:
    assert STATUSES == ("not met", "not assessed", "waived", "met")


def test_each_host_has_a_verdict_of_its_own() -> None:
    verdicts = combine([check("met"), check("not met", host="backup")], ["NET-1"])
    assert [(verdict.host, verdict.status) for verdict in verdicts] == [("backup", "not met"), ("server", "met")]


def test_control_without_checks_is_never_met() -> None:
    (verdict,) = combine([], ["NET-1"])
    assert (verdict.host, verdict.status) == (None, "not assessed")
    assert open_points([verdict], Exceptions(today=TODAY))


@pytest.mark.parametrize(
    ("waiver", "status"),
    [
        ({}, "waived"),
        ({"until": "2026-11-23"}, "not met"),
        ({"control": "NET-2"}, "not met"),
        ({"host": "server"}, "waived"),
        ({"host": "backup"}, "not met"),
        ({"check": "a port is shut"}, "waived"),
        ({"check": "another"}, "not met"),
    ],
)
def test_waiver_counts_for_what_it_names_until_its_day(waiver: dict[str, object], status: Status) -> None:
    exceptions = Exceptions(waivers=[{**WAIVER, **waiver}], today=TODAY)
    assert exceptions.apply(check("not met")).status == status


def test_waived_check_says_who_accepted_it_and_why() -> None:
    reason = Exceptions(waivers=[WAIVER], today=TODAY).apply(check("not met")).reason
    assert reason == "waived until 2026-11-24 by jane: a test (because)"


@pytest.mark.parametrize("status", ["met", "not assessed"])
def test_waiver_changes_nothing_but_what_is_not_met(status: Status) -> None:
    assert Exceptions(waivers=[WAIVER], today=TODAY).apply(check(status)).status == status


@pytest.mark.parametrize(
    ("status", "entry", "is_open"),
    [
        ("not assessed", "NET-1", False),
        ("not assessed", {"control": "NET-1", "check": "a port is shut"}, False),
        ("not assessed", {"control": "NET-1", "check": "another"}, True),
        ("not assessed", "NET-2", True),
        ("not met", "NET-1", True),
    ],
)
def test_only_declared_gaps_let_an_audit_succeed(status: Status, entry: str | dict[str, str], is_open: bool) -> None:
    exceptions = Exceptions(not_assessable=[entry], today=TODAY)
    assert bool(open_points(combine([check(status)], ["NET-1"]), exceptions)) is is_open


def test_waived_and_met_leave_nothing_open() -> None:
    checks = [check("met"), check("waived", name="another")]
    assert open_points(combine(checks, ["NET-1"]), Exceptions(today=TODAY)) == []
