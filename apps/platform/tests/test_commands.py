"""Management commands: idempotent, and no password in an argument."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from art32_platform.accounts.models import Account
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Contact, Membership, Organisation

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


def test_training_is_declared_once(db: None) -> None:
    Organisation.objects.create(name="Own GmbH")
    words = ["training", "--organisation=Own GmbH", "--email=p@own.example", "--name=Paula", "--topic=Instructions"]
    assert run(*words, "--trained-on=2026-01-31")["changed"]
    assert not run(*words, "--trained-on=2026-01-31")["changed"]
    contact = Contact.objects.get()
    assert (contact.is_primary, contact.trainings.get().due_on.isoformat()) == (True, "2027-01-31")
    for wrong in (["--trained-on=2999-01-01"], ["--trained-on=2026-01-31", "--due-on=2026-01-31", "--topic=Other"]):
        with pytest.raises(CommandError):
            run(*words, *wrong)
    with pytest.raises(CommandError, match="no organisation 'Nowhere'"):
        run(*words, "--trained-on=2026-01-31", "--organisation=Nowhere")


def test_role_of_staff_needs_a_last_day(db: None) -> None:
    Organisation.objects.create(name="Own GmbH")
    words = ["member", "--email=ann@example.test", "--staff", "--role=viewer", "--organisation=Own GmbH"]
    with pytest.raises(CommandError, match="staff ends"):
        run(*words)
    tomorrow = datetime.now(tz=UTC).date() + timedelta(days=1)
    assert run(*words, f"--until={tomorrow}")["changed"]
    assert not run(*words, f"--until={tomorrow}")["changed"]


def test_member_is_invited_once(db: None) -> None:
    words = ["member", "--email=ann@example.test", "--invite"]
    assert run(*words)["changes"] == ["account", "invitation"]
    assert [message.to for message in mail.outbox] == [["ann@example.test"]]
    assert run("deliver") == {"changed": False, "links": 0, "requests": 0}
