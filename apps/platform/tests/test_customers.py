"""Customers' data: export, the people of an organisation, trainings, and what is written down about looking at it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from art32_platform.accounts.models import Account
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Contact, Membership, Training

from .conftest import TODAY, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client


def latest() -> dict[str, object]:
    columns = ("account", "action", "kind", "record", "entity")
    return dict(Activity.objects.order_by("-id").values(*columns)[0])


def test_export_holds_the_own_contacts_and_leaves_a_row(world: World, browser: Callable[..., Client]) -> None:
    Contact.objects.create(organisation=world.own, name='=HYPERLINK("http://evil")', position='"; x', phone="+49 30")
    response = browser(world.people["manager"]).get(reverse("organisation-export", args=[world.own.pk]))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="own-gmbh-')
    header, *rows = csv.reader(io.StringIO(response.content.decode()))
    assert header[:4] == ["name", "position", "email", "phone"]
    assert [row[0] for row in rows] == ['\'=HYPERLINK("http://evil")', "Olga Own"]
    assert rows[0][3] == "'+49 30"
    assert "Foreign" not in response.content.decode()
    assert latest() == {
        "account": "manager@example.test",
        "action": "export",
        "kind": "customers.organisation",
        "record": str(world.own.pk),
        "entity": world.own.pk,
    }
    assert Activity.objects.latest("id").detail["rows"] == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("contact", "customers.contact"),
        ("contact-edit", "customers.contact"),
        ("organisation", "customers.organisation"),
    ],
)
def test_looking_at_a_record_leaves_a_row(world: World, browser: Callable[..., Client], name: str, kind: str) -> None:
    record = world.own_contact if kind == "customers.contact" else world.own
    browser(world.people["manager"]).get(reverse(name, args=[record.pk]))
    assert latest() == {
        "account": "manager@example.test",
        "action": "view",
        "kind": kind,
        "record": str(record.pk),
        "entity": world.own.pk,
    }


def test_log_page_can_show_one_kind_of_deed(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    client.get(reverse("contact", args=[world.own_contact.pk]))
    path = reverse("organisation-activity", args=[world.own.pk])
    assert 'class="tag insert"' in client.get(path).content.decode()
    page = client.get(path, {"action": "view"}).content.decode()
    assert 'class="tag view"' in page
    assert 'class="tag insert"' not in page


def test_people_page_names_everybody_with_access(world: World, browser: Callable[..., Client]) -> None:
    page = browser(world.people["manager"]).get(reverse("organisation-people", args=[world.own.pk])).content.decode()
    for name in ("viewer", "editor", "manager", "staff-viewer", "staff-editor", "staff-manager"):
        assert f">{name}@example.test<" in page
    assert "outsider@example.test" not in page
    assert page.count("provider&#x27;s staff") + page.count("provider's staff") >= 3


def test_manager_changes_and_ends_access(world: World, browser: Callable[..., Client]) -> None:
    membership = Membership.objects.get(account=world.people["viewer"])
    manager, viewer = browser(world.people["manager"]), browser(world.people["viewer"])
    manager.post(reverse("person-edit", args=[membership.pk]), {"role": 20})
    assert viewer.get(reverse("contact-add", args=[world.own.pk])).status_code == 200
    manager.post(reverse("person-remove", args=[membership.pk]))
    assert viewer.get(reverse("organisation", args=[world.own.pk])).status_code == 404


def test_invitation_of_staff_needs_an_end(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    path = reverse("organisation-invite", args=[world.own.pk])
    data = {"email": "staff@example.test", "role": 10}
    assert b"30 days" in client.post(path, data).content
    assert client.post(path, {**data, "until": TODAY + timedelta(days=31)}).status_code == 200
    assert not Membership.objects.filter(account=world.people["staff"]).exists()
    assert client.post(path, {**data, "until": TODAY + timedelta(days=30)}).status_code == 302


@pytest.mark.parametrize("email", ["viewer@example.test", "no address", "ümlaut@example.test"])
def test_impossible_invitation_changes_nothing(world: World, browser: Callable[..., Client], email: str) -> None:
    before = Account.objects.count(), Membership.objects.count()
    path = reverse("organisation-invite", args=[world.own.pk])
    assert browser(world.people["manager"]).post(path, {"email": email, "role": 10}).status_code == 200
    assert (Account.objects.count(), Membership.objects.count()) == before


def test_training_is_due_again_after_a_year(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    path = reverse("training-add", args=[world.own_contact.pk])
    for wrong in ({"trained_on": TODAY + timedelta(days=1)}, {"trained_on": TODAY, "due_on": TODAY}):
        assert client.post(path, {"topic": "Instructions", **wrong}).status_code == 200
    assert client.post(path, {"topic": "Instructions", "trained_on": TODAY}).status_code == 302
    training = Training.objects.get()
    assert training.due_on == TODAY + timedelta(days=365)
    assert (training.entered_by, training.is_overdue) == ("manager@example.test", False)
    training.due_on = TODAY - timedelta(days=1)
    assert training.is_overdue
    assert latest()["kind"] == "customers.training"
    assert b"Instructions" in client.get(reverse("contact", args=[world.own_contact.pk])).content


@pytest.mark.parametrize("field", ["organisation", "id", "created_at", "is_staff", "account"])
def test_forms_take_no_more_fields_than_they_show(world: World, browser: Callable[..., Client], field: str) -> None:
    before = Contact.objects.values().get(pk=world.own_contact.pk)
    data = {"name": "Olga Own", field: str(world.foreign.pk)}
    browser(world.people["manager"]).post(reverse("contact-edit", args=[world.own_contact.pk]), data)
    after = Contact.objects.values().get(pk=world.own_contact.pk)
    assert {**after, "changed_at": None} == {**before, "changed_at": None}
