"""The activity log: what it holds, that it cannot be changed, and that it tells of every way to change data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse

from art32_platform.activity.models import Activity
from art32_platform.activity.privileges import is_append_only
from art32_platform.activity.recording import NOT_RECORDED
from art32_platform.conformance import _unrecorded
from art32_platform.customers.models import Contact, Organisation

from .conftest import ADDRESS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client
    from pytest import MonkeyPatch  # noqa: PT013 - a type

LOGIN_ROLE = "platform_login"


def rows(number: int) -> list[dict[str, object]]:
    columns = ("account", "origin", "action", "kind", "record", "entity", "detail")
    return list(Activity.objects.order_by("-id")[:number].values(*columns))[::-1]


def test_each_change_leaves_who_what_when_and_from_where(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    client.post(reverse("contact-add", args=[world.own.pk]), {"name": "New", "email": "new@example.test"})
    contact = Contact.objects.get(name="New")
    client.post(reverse("contact-edit", args=[contact.pk]), {"name": "Newer", "phone": "+49 30 1"})
    client.post(reverse("contact-remove", args=[contact.pk]))
    common = {
        "account": "manager@example.test",
        "origin": ADDRESS,
        "kind": "customers.contact",
        "record": str(contact.pk),
        "entity": world.own.pk,
    }
    assert rows(3) == [
        {**common, "action": "insert", "detail": {}},
        {**common, "action": "change", "detail": {"fields": ["email", "name", "phone"]}},
        {**common, "action": "removal", "detail": {}},
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(now() - at < '1 min' AND at <= clock_timestamp()) FROM activity_activity")
        assert cursor.fetchone() == (True,)


def test_the_log_holds_no_personal_data_of_contacts(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    client.post(reverse("contact-add", args=[world.own.pk]), {"name": "Planted Secret", "email": "p@example.test"})
    assert Contact.objects.filter(name="Planted Secret").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM activity_activity a WHERE a::text ~ 'Planted|p@example'")
        assert cursor.fetchone() == (0,)


def test_attribution_ends_with_the_request(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    client.post(reverse("contact-edit", args=[world.own_contact.pk]), {"name": "By a manager"})
    Contact.objects.filter(pk=world.own_contact.pk).update(name="By nobody known")
    assert [row["account"] for row in rows(2)] == ["manager@example.test", ""]


def test_change_and_row_stand_or_fall_together(world: World) -> None:
    before = Activity.objects.count()
    twice = [Organisation(name="New"), Organisation(name="New")]
    with pytest.raises(IntegrityError), transaction.atomic():
        Organisation.objects.bulk_create(twice, batch_size=1)
    assert Activity.objects.count() == before


def test_change_by_hand_is_recorded(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_contact SET name = 'By hand'")
    assert {(row["action"], row["kind"]) for row in rows(2)} == {("change", "customers.contact")}
    assert Activity.objects.latest("id").database_role == "postgres"


def test_refusal_leaves_a_row(world: World, browser: Callable[..., Client]) -> None:
    path = reverse("contact-edit", args=[world.own_contact.pk])
    assert browser(world.people["viewer"]).post(path, {"name": "Mine"}).status_code == 403
    assert rows(1) == [
        {
            "account": "viewer@example.test",
            "origin": ADDRESS,
            "action": "refused",
            "kind": "customers.contact",
            "record": str(world.own_contact.pk),
            "entity": world.own.pk,
            "detail": {"method": "POST", "path": path, "needs": "customers.change_contact"},
        },
    ]


def test_manager_reads_the_log_of_the_own_organisation(world: World, browser: Callable[..., Client]) -> None:
    page = browser(world.people["manager"]).get(reverse("organisation-activity", args=[world.own.pk])).content.decode()
    assert str(world.own_contact.pk)[:8] in page
    assert str(world.foreign_contact.pk)[:8] not in page


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activity_activity SET account = 'somebody else'",
        "DELETE FROM activity_activity",
        "TRUNCATE activity_activity",
        "SET session_replication_role = replica; DELETE FROM activity_activity",
    ],
)
def test_even_the_owner_cannot_change_the_log(world: World, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_time_and_role_are_the_servers(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO activity_activity (at, account, database_role, action, kind, record, detail)"
            " VALUES ('2001-01-01', '', 'somebody', 'login', '', '', '{}')"
            " RETURNING clock_timestamp() - at < '1 min', database_role",
        )
        assert cursor.fetchone() == (True, "postgres")


def test_every_table_is_recorded_or_known_not_to_be(db: None) -> None:
    assert list(_unrecorded()) == []
    assert {model._meta.label_lower for model in apps.get_models()} >= NOT_RECORDED


@pytest.fixture
def login_role(db: None, monkeypatch: MonkeyPatch) -> Iterator[None]:
    """The role that the platform runs as, with what an owner's default privileges give it, and then `migrate`."""
    monkeypatch.setenv("PLATFORM_LOGIN_ROLE", LOGIN_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {LOGIN_ROLE} LOGIN")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {LOGIN_ROLE}")
        assert not is_append_only_as(LOGIN_ROLE)
        call_command("migrate", verbosity=0)
        yield
        cursor.execute("RESET ROLE")


def is_append_only_as(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            return is_append_only(connection)
        finally:
            cursor.execute("RESET ROLE")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activity_activity SET account = 'x'",
        "DELETE FROM activity_activity",
        "TRUNCATE activity_activity",
        "DROP TRIGGER activity_no_change ON activity_activity",
        "ALTER TABLE activity_activity DISABLE TRIGGER ALL",
        "DROP TABLE activity_activity",
        "ALTER TABLE activity_activity ALTER COLUMN account SET DEFAULT 'x'",
        "INSERT INTO activity_link VALUES (99, 99, 'x')",
        "UPDATE activity_link SET hash = 'x'",
        "DELETE FROM activity_link",
        "TRUNCATE activity_link",
        "DROP TRIGGER activity_chain ON activity_activity",
        "ALTER TABLE activity_link DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION activity_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
    ],
)
def test_login_role_has_no_privilege_to_change_the_log(world: World, login_role: None, statement: str) -> None:
    assert is_append_only_as(LOGIN_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {LOGIN_ROLE}")
        with pytest.raises(DatabaseError, match=r"permission denied|must be owner"), transaction.atomic():
            cursor.execute(statement)


def test_login_role_can_work(world: World, login_role: None, browser: Callable[..., Client]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {LOGIN_ROLE}")
        client = browser(world.people["manager"])
        assert client.post(reverse("contact-edit", args=[world.own_contact.pk]), {"name": "New"}).status_code == 302
        assert client.post(reverse("logout")).status_code == 302
        assert [row["action"] for row in rows(2)] == ["change", "logout"]


@pytest.mark.parametrize(
    "break_it",
    [
        "ALTER TABLE activity_activity ENABLE TRIGGER activity_no_change",
        "DROP TRIGGER activity_no_truncation ON activity_activity",
    ],
)
def test_a_missing_guard_is_noticed(db: None, break_it: str) -> None:
    assert is_append_only(connection)
    with connection.cursor() as cursor:
        cursor.execute(break_it)
    assert not is_append_only(connection)
