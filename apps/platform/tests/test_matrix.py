"""Every address, with every method, as every kind of person, for the own and a foreign record: as policy.toml says."""

from __future__ import annotations

import hashlib
import re
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from django.urls import reverse

from art32_platform.access.urls import pages, without_policy
from art32_platform.accounts.models import Account, Link
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Contact, Membership
from art32_platform.helpdesk.models import HelpRequest

from .conftest import PASSWORD, TODAY, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import Model
    from django.http import HttpResponse
    from django.test import Client

TABLE = tomllib.loads(Path(__file__).with_name("policy.toml").read_text(encoding="utf-8"))
PEOPLE = TABLE["people"]
CHANGES = ("insert", "change", "removal")
NEW_PASSWORD = "another long enough phrase"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    method: str
    whose: str
    expected: list[str]

    def __str__(self) -> str:
        return f"{self.method} {self.name} {self.whose}"


ROWS = [
    Row(name, method, whose, words.split())
    for method in ("GET", "POST")
    for whose, section in (("own", method), ("foreign", f"{method}_foreign"))
    for name, words in TABLE[section].items()
]


def test_every_address_is_in_the_table() -> None:
    assert without_policy() == []
    names = {page.name for page in pages()}
    with_record = {page.name for page in pages() if page.policy.record}
    # Records that belong to no organisation are neither own nor foreign.
    of_the_provider = ("membership", "account", "helprequest", "auth_user")
    with_entity = {name for name in with_record if not any(word in name for word in of_the_provider)}
    assert set(TABLE["GET"]) == names
    assert set(TABLE["POST"]) == names
    assert set(TABLE["GET_foreign"]) == with_entity
    assert set(TABLE["POST_foreign"]) == {n for n in with_entity if set(TABLE["POST"][n].split()) != {"-"}}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_answer_is_as_the_policy_says(world: World, browser: Callable[..., Client], row: Row) -> None:
    assert len(row.expected) == len(PEOPLE)
    name = row.name
    records = _records(world, row.whose)
    seen = []
    for person in PEOPLE:
        client = browser(world.people.get(person))
        with _undone():
            path = reverse(name, args=_arguments(name, records))
            before = _rows()
            response = client.get(path) if row.method == "GET" else client.post(path, _data(name, world, records))
            answer = _word(response)
            written = _rows() - before
            assert not (answer != "ok" and written.intersection(CHANGES)), "refused, and yet something changed"
            if row.method == "GET" and answer == "ok" and _shows_records(name):
                assert written & {"view", "export"}, "seen, and no row says so"
            if row.method == "GET":
                assert not written.intersection(CHANGES), "looking changes nothing"
            if person != "anonymous":
                assert (answer in {"no", "hidden"}) == ("refused" in written) or name == "admin:app_list"
        seen.append(answer)
    assert dict(zip(PEOPLE, seen, strict=True)) == dict(zip(PEOPLE, row.expected, strict=True))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_other_method_exists(world: World, browser: Callable[..., Client], method: str) -> None:
    client = browser(world.people["administrator"])
    for page in pages():
        path = reverse(page.name, args=_arguments(page.name, _records(world, "own")))
        assert client.generic(method, path).status_code == 405, page


@pytest.mark.parametrize("person", ["manager", "staff-manager"])
def test_a_record_that_is_not_there_looks_like_a_foreign_one(
    world: World,
    browser: Callable[..., Client],
    person: str,
) -> None:
    client = browser(world.people[person])
    absent = "0c1a7f5e-0000-4000-8000-000000000000"
    for name in ("contact", "contact-edit", "admin:customers_contact_change"):
        there = client.get(reverse(name, args=[world.foreign_contact.pk]))
        nowhere = client.get(reverse(name, args=[absent]))
        if person == "staff-manager" or not name.startswith("admin:"):
            assert (there.status_code, nowhere.status_code) == (404, 404)
            assert _without_tokens(there, str(world.foreign_contact.pk)) == _without_tokens(nowhere, absent)


def test_lists_hold_nothing_foreign(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["staff-manager"])
    for path in ("/", reverse("organisation", args=[world.own.pk]), "/admin/customers/organisation/"):
        page = client.get(path).content.decode()
        assert "Own GmbH" in page
        assert "Foreign" not in page
    for path in ("/admin/customers/contact/", "/admin/customers/contact/?q=Fabrice", "/admin/activity/activity/?q=x"):
        page = client.get(path).content.decode()
        assert "Fabrice F" not in page
        assert "Foreign" not in page
    form = client.get(reverse("admin:customers_contact_change", args=[world.own_contact.pk])).content.decode()
    assert "Own GmbH" in form
    assert "Foreign" not in form


def test_bulk_removal_spares_foreign_records(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["staff-manager"])
    both = [world.own_contact.pk, world.foreign_contact.pk]
    data = {"action": "delete_selected", "_selected_action": both, "post": "yes"}
    assert client.post("/admin/customers/contact/", data).status_code == 302
    assert set(Contact.objects.values_list("pk", flat=True)) == {world.foreign_contact.pk}


def test_bulk_removal_needs_the_role_for_every_record(world: World, browser: Callable[..., Client]) -> None:
    """Manager of the one, viewer of the other: seeing both is not removing both."""
    account = world.people["staff-manager"]
    Membership.objects.create(account=account, organisation=world.foreign, role=10, until=TODAY)
    both = [world.own_contact.pk, world.foreign_contact.pk]
    data = {"action": "delete_selected", "_selected_action": both, "post": "yes"}
    assert browser(account).post("/admin/customers/contact/", data).status_code == 403
    assert Contact.objects.count() == 2


@pytest.mark.parametrize("key", ["x", "", "0c1a7f5e-0000-4000-8000-000000000000", "9" * 40])
@pytest.mark.parametrize("model", ["customers/organisation", "customers/membership", "accounts/account"])
def test_bulk_removal_of_nonsense_is_no_error_of_the_server(
    world: World,
    browser: Callable[..., Client],
    model: str,
    key: str,
) -> None:
    before = _rows()
    data = {"action": "delete_selected", "_selected_action": key, "post": "yes"}
    assert browser(world.people["administrator"]).post(f"/admin/{model}/", data).status_code in {200, 302, 400}
    assert not (_rows() - before).intersection(CHANGES)


@pytest.mark.parametrize("path", ["/admin/customers/contact/{}/change/", "/contacts/{}/edit/"])
def test_a_record_cannot_be_moved_to_a_foreign_organisation(
    world: World,
    browser: Callable[..., Client],
    path: str,
) -> None:
    data = {"organisation": world.foreign.pk, "name": "Moved"}
    browser(world.people["staff-manager"]).post(path.format(world.own_contact.pk), data)
    world.own_contact.refresh_from_db()
    assert world.own_contact.organisation == world.own


def test_membership_ends_after_its_last_day(world: World, browser: Callable[..., Client]) -> None:
    path = reverse("organisation", args=[world.own.pk])
    client = browser(world.people["viewer"])
    memberships = Membership.objects.filter(account=world.people["viewer"])
    for until, status in (("2999-12-31", 200), ("2020-01-01", 404)):
        memberships.update(until=until)
        assert client.get(path).status_code == status


def _records(world: World, whose: str) -> dict[str, Model]:
    organisation = world.own if whose == "own" else world.foreign
    contact = world.own_contact if whose == "own" else world.foreign_contact
    return {
        "organisation": organisation,
        "contact": contact,
        "membership": Membership.objects.get(account=world.people["viewer" if whose == "own" else "outsider"]),
        "account": world.people["viewer"],
        "auth_user": world.people["viewer"],
        "activity": Activity.objects.filter(entity=organisation.pk).latest("id"),
        "helprequest": HelpRequest.objects.first() or HelpRequest.objects.create(email="x@example.test", message="?"),
    }


def _arguments(name: str, records: dict[str, Model]) -> list[object]:
    if name == "help-sent":
        return ["ABCD2345"]
    if name == "link":
        digest = hashlib.sha256(b"token").hexdigest()
        account = Account.objects.get(email="viewer@example.test")
        tomorrow = datetime.now(tz=UTC) + timedelta(days=1)
        Link.objects.create(account=account, purpose="reset", digest=digest, expires_at=tomorrow)
        return ["token"]
    if name == "admin:app_list":
        return ["customers"]
    page = next(page for page in pages() if page.name == name)
    if page.policy.record is None:
        return []
    return [records[page.policy.record[0].rpartition(".")[2].lower()].pk]


def _data(name: str, world: World, records: dict[str, Model]) -> dict[str, object]:
    """What a browser would send to have it done."""
    organisation = records["organisation"]
    form: dict[str, dict[str, object]] = {
        "login": {"username": "viewer@example.test", "password": PASSWORD},
        "help": {"email": "x@example.test", "message": "How?", "page": "/"},
        "password": {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
        "organisation-edit": {"name": "Renamed"},
        "organisation-invite": {"email": "new@example.test", "role": 10},
        "person-edit": {"role": 20},
        "training-add": {"topic": "Instructions", "trained_on": TODAY},
        "reset": {"email": "viewer@example.test"},
        "security": {"session": "others"},
        "contact-add": {"name": "New"},
        "contact-edit": {"name": "Changed"},
        "admin:customers_organisation_add": {"name": "New"},
        "admin:customers_organisation_change": {"name": "Renamed"},
        "admin:customers_contact_add": {"name": "New", "organisation": organisation.pk},
        "admin:customers_contact_change": {"name": "Changed", "organisation": organisation.pk},
        "admin:customers_membership_add": {
            "account": world.people["staff"].pk,
            "organisation": organisation.pk,
            "role": 10,
            "until": TODAY,
        },
        "admin:customers_membership_change": {
            "account": world.people["viewer"].pk,
            "organisation": organisation.pk,
            "role": 20,
        },
        "admin:accounts_account_add": {
            "email": "new@example.test",
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
        "admin:accounts_account_change": {"email": "viewer@example.test", "name": "Changed"},
        "admin:auth_user_password_change": {
            "usable_password": "true",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
        "admin:helpdesk_helprequest_change": {"answered": "on"},
    }
    if name.endswith("_changelist"):
        kind = name.split("_")[1]
        return {"action": "delete_selected", "_selected_action": [records[kind].pk]}
    return form.get(name, {"post": "yes"})


def _word(response: HttpResponse) -> str:
    where = response.headers.get("Location", "")
    if response.status_code == 302:
        return "login" if where.startswith("/login/?next=") else "ok"
    words = {200: "ok", 403: "no", 404: "hidden", 405: "-", 410: "gone"}
    return words.get(response.status_code, str(response.status_code))


def _shows_records(name: str) -> bool:
    policy = next(page.policy for page in pages() if page.name == name)
    return policy.record is not None or ".view_" in policy.methods.get("GET", "")


def _rows() -> _Counted:
    return _Counted(Activity.objects.order_by("id").values_list("action", flat=True))


class _Counted(list[str]):
    """Actions in the log, oldest first; what a later reading has more than an earlier one is its difference."""

    def __sub__(self, before: _Counted) -> set[str]:
        return set(self[len(before) :])


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _without_tokens(response: HttpResponse, key: str) -> str:
    text = response.content.decode().replace(key, "KEY")
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", text)
