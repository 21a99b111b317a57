"""Each promise is broken once, in the code or the data, and exactly its control turns red by what conformance says."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from art32_platform import settings as real
from art32_platform.access import policies, rules
from art32_platform.access.policies import ACCOUNT, ANYONE, Policy
from art32_platform.accounts.models import Account
from art32_platform.activity.models import Action
from art32_platform.customers.models import Membership, Training

from .conftest import TODAY, World, as_if_committed
from .verdicts import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest import MonkeyPatch  # noqa: PT013 - a type
    from pytest_django.fixtures import SettingsWrapper

DECLARED = [
    {"email": f"{name}@example.test", "platform": "staff"}
    for name in ("staff", "staff-viewer", "staff-editor", "staff-manager")
] + [{"email": "administrator@example.test", "platform": "administrator"}]


def red() -> dict[str, list[str]]:
    """The controls that what the platform says of itself turns red, with their reasons."""
    out = StringIO()
    call_command("conformance", stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    found = problems(told, declared=DECLARED, cost=4, database=connection.settings_dict["NAME"])
    return {control: reasons for control, reasons in found.items() if reasons}


@pytest.fixture
def whole(world: World, settings: SettingsWrapper) -> World:
    """A platform on which every promise is kept; at its relay there is nobody."""
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = real.EMAIL_BACKEND, 9
    for contact in (world.own_contact, world.foreign_contact):
        contact.is_primary = True
        contact.save()
        Training.objects.create(
            contact=contact,
            organisation=contact.organisation,
            topic="Instructions",
            trained_on=TODAY,
            due_on=TODAY + timedelta(days=365),
        )
    as_if_committed()
    return world


def by_hand(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_nothing_is_red_while_every_promise_is_kept(whole: World) -> None:
    assert red() == {}


BROKEN_DATA: dict[str, tuple[str, Callable[[World], object]]] = {
    "undeclared staff": ("ACC-1", lambda _: Account.objects.create_user("mallory@example.test", is_staff=True)),
    "undeclared administrator": (
        "ACC-1",
        lambda _: Account.objects.filter(email="staff@example.test").update(is_administrator=True),
    ),
    "staff without an end": (
        "ACC-1",
        lambda _: Membership.objects.filter(account__email="staff-viewer@example.test").update(until=None),
    ),
    "another hash": ("ACC-2", lambda _: Account.objects.filter(email__startswith="v").update(password="md5$a$b")),
    "password in the clear": ("ACC-2", lambda _: Account.objects.filter(email__startswith="v").update(password="x")),
    "log without its trigger": (
        "LOG-1",
        lambda _: by_hand("DROP TRIGGER activity_no_change ON activity_activity"),
    ),
    "log without its chain": ("LOG-1", lambda _: by_hand("DROP TRIGGER activity_chain ON activity_activity")),
    "unrecorded table": ("LOG-1", lambda _: by_hand("DROP TRIGGER record_activity ON customers_contact")),
    "trigger that does not always fire": (
        "LOG-1",
        lambda _: by_hand("ALTER TABLE customers_contact ENABLE TRIGGER record_activity"),
    ),
    "forged row": (
        "LOG-1",
        lambda _: by_hand(
            "ALTER TABLE activity_activity DISABLE TRIGGER ALL; UPDATE activity_activity SET account = 'x';"
            "ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_stamp;"
            "ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_chain;"
            "ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_no_change;"
            "ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_no_truncation"
        ),
    ),
    "overdue training": (
        "JOB-1",
        lambda _: Training.objects.update(trained_on=TODAY - timedelta(days=400), due_on=TODAY - timedelta(days=1)),
    ),
    "no training": ("JOB-1", lambda _: Training.objects.all().delete()),
    "no primary contact": ("JOB-1", lambda world: world.own.contacts.update(is_primary=False)),
}


@pytest.mark.parametrize("broken", BROKEN_DATA)
def test_broken_data_turns_exactly_its_control_red(whole: World, broken: str) -> None:
    control, deed = BROKEN_DATA[broken]
    deed(whole)
    as_if_committed()
    assert set(red()) == {control}


BROKEN_SETTINGS: dict[str, tuple[str, str, Any]] = {
    "endless idle sessions": ("ACC-2", "PLATFORM_IDLE_LIMIT", timedelta(days=9)),
    "endless sessions": ("ACC-2", "PLATFORM_SESSION_LIMIT", timedelta(days=9)),
    "many guesses": ("ACC-2", "AXES_FAILURE_LIMIT", 100),
    "no throttle": ("ACC-2", "AUTHENTICATION_BACKENDS", ["art32_platform.accounts.backend.Backend"]),
    "any password": ("ACC-2", "AUTH_PASSWORD_VALIDATORS", []),
    "another hasher": (
        "ACC-2",
        "PASSWORD_HASHERS",
        ["django.contrib.auth.hashers.PBKDF2PasswordHasher", "tests.hashers.Quick"],
    ),
    "help for nobody": ("JOB-1", "PLATFORM_HELP_ADDRESS", ""),
    "mail in the clear": ("TLS-1", "EMAIL_USE_TLS", False),
    "a second store": (
        "PUR-1",
        "CACHES",
        {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/nowhere"}},
    ),
}


@pytest.mark.parametrize("broken", BROKEN_SETTINGS)
def test_broken_setting_turns_exactly_its_control_red(whole: World, settings: SettingsWrapper, broken: str) -> None:
    control, name, value = BROKEN_SETTINGS[broken]
    setattr(settings, name, value)
    assert set(red()) == {control}


def test_deed_that_is_not_recorded_turns_exactly_its_control_red(whole: World, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.delitem(Action._value2member_map_, "view")
    monkeypatch.setattr(Action, "_member_names_", [name for name in Action._member_names_ if name != "VIEW"])
    assert set(red()) == {"LOG-1"}


def test_open_admin_page_turns_exactly_its_control_red(whole: World, monkeypatch: MonkeyPatch) -> None:
    derived = {**policies._admin_policies(), "admin:accounts_account_change": Policy(methods={"GET": ANYONE})}
    monkeypatch.setattr(policies, "_admin_policies", lambda: derived)
    assert set(red()) == {"ACC-3"}


def test_admin_page_that_does_not_check_the_record_turns_exactly_its_control_red(
    whole: World, monkeypatch: MonkeyPatch
) -> None:
    open_page = Policy(methods={"GET": ACCOUNT, "POST": ACCOUNT})
    derived = {**policies._admin_policies(), "admin:customers_contact_change": open_page}
    monkeypatch.setattr(policies, "_admin_policies", lambda: derived)
    assert set(red()) == {"ACC-3"}


def test_wider_rule_changes_what_requests_get_and_turns_exactly_its_control_red(
    whole: World, monkeypatch: MonkeyPatch, browser: Callable[..., Client]
) -> None:
    path = reverse("contact", args=[whole.foreign_contact.pk])
    assert browser(whole.people["viewer"]).get(path).status_code == 404
    monkeypatch.setitem(rules.RULES, "customers.view_contact", rules.Rule(role=10, staff=True))  # type: ignore[arg-type]
    assert browser(whole.people["staff"]).get(path).status_code == 200
    assert set(red()) == {"ACC-3"}
