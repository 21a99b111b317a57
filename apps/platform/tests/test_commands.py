"""Management commands: idempotent, and no password in an argument."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from art32_platform.accounts.models import Account
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Membership, Organisation

if TYPE_CHECKING:
    from pytest import MonkeyPatch  # noqa: PT013 - a type

PASSWORD = "correct horse battery staple"


def run(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*words, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_member_and_organisation_twice(db: None, monkeypatch: MonkeyPatch) -> None:
    assert run("organisation", "--name", "Own GmbH")["changed"]
    assert not run("organisation", "--name", "Own GmbH")["changed"]
    words = [
        "member",
        "--email",
        "Ann@Example.test",
        "--role",
        "editor",
        "--organisation",
        "Own GmbH",
        "--password-stdin",
    ]
    for changed in (True, False):
        monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
        assert run(*words)["changed"] is changed
    account = Account.objects.get(email="ann@example.test")
    assert account.check_password(PASSWORD)
    assert Membership.objects.get(account=account).get_role_display() == "editor"
    assert Activity.objects.latest("id").account == "platform-manage member"


def test_administrators_are_staff_and_can_leave(db: None) -> None:
    assert run("member", "--email", "ann@example.test", "--administrator")["changes"] == [
        "account",
        "is_administrator",
        "is_staff",
    ]
    assert run("member", "--email", "ann@example.test", "--no-active")["changes"] == ["is_active"]
    assert not Account.objects.get().has_usable_password()


def test_role_can_be_taken_away(db: None) -> None:
    Organisation.objects.create(name="Own GmbH")
    words = ["member", "--email", "ann@example.test", "--organisation", "Own GmbH", "--role"]
    assert run(*words, "manager")["changed"]
    assert run(*words, "none")["changes"] == ["role"]
    assert not run(*words, "none")["changed"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--role", "editor"], "belong together"),
        (["--role", "editor", "--organisation", "Nowhere"], "no organisation 'Nowhere'"),
        (["--no-staff", "--administrator"], "administrators_are_staff"),
        (["--password-stdin"], "too short"),
    ],
)
def test_impossible_wish_changes_nothing(db: None, monkeypatch: MonkeyPatch, words: list[str], message: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match=message):
        run("member", "--email", "ann@example.test", *words)
    assert not Account.objects.exists()


@pytest.mark.parametrize("email", ["no address", "blank in@example.test", "ümlaut@example.test"])
def test_address_that_breaks_a_header_is_refused(db: None, email: str) -> None:
    with pytest.raises(CommandError):
        run("member", "--email", email)
