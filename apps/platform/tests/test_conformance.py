"""What the platform says of itself is true, complete, and in the form that the audit reads."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import include, path
from jsonschema import Draft202012Validator

from art32_platform import settings as real  # beside the tests' settings
from art32_platform import urls
from art32_platform.access.policies import Policy
from art32_platform.access.urls import pages, without_policy
from art32_platform.accounts.models import Account

from .conftest import TODAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from .conftest import World

SCHEMA = Path(__file__).parents[3] / "controls" / "conformance.schema.json"


def conformance() -> dict[str, Any]:
    out = StringIO()
    call_command("conformance", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_answer_has_the_agreed_form(world: World) -> None:
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(conformance())


def test_the_form_refuses_what_it_should(world: World) -> None:
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for key in ("urls", "passwords", "activity"):
        assert not validator.is_valid({name: value for name, value in conformance().items() if name != key})


def test_hashes_are_counted_by_kind(world: World) -> None:
    Account.objects.create_user("nobody-yet@example.test")
    Account.objects.filter(email="viewer@example.test").update(password="md5$salt$hash")
    Account.objects.filter(email="editor@example.test").update(password="in the clear")
    passwords = conformance()["passwords"]
    assert passwords["hashes"] == {"bcrypt_sha256:4": 7, "unknown:0": 2}
    assert (passwords["total"], passwords["unusable"]) == (9, 1)


def test_promised_hasher_is_told(db: None, settings: SettingsWrapper) -> None:
    settings.PASSWORD_HASHERS = real.PASSWORD_HASHERS
    Account.objects.create_user("ann@example.test", "correct horse battery staple")
    passwords = conformance()["passwords"]
    cost = real.PLATFORM_PASSWORD_COST
    assert (passwords["hasher"], passwords["minimum_cost"]) == ("bcrypt_sha256", cost)
    assert passwords["hashes"] == {f"bcrypt_sha256:{cost}": 1}


def test_rest_of_the_answer(world: World) -> None:
    answer = conformance()
    assert answer["activity"]["append_only"] is True
    assert answer["activity"]["count"] > 0
    assert {"at", "account", "origin", "action", "kind", "record"} <= set(answer["activity"]["columns"])
    assert answer["help"] == {"path": "/help/", "address": "team@provider.example"}
    assert [store["kind"] for store in answer["stores"]] == ["postgresql"]
    assert {"email": "staff@example.test", "staff": True, "administrator": False, "active": True} in answer["members"]
    assert len(answer["members"]) == 9


@pytest.mark.parametrize("rule", ["administrators", "staff", "everybody"])
def test_sessions_are_tried_and_nothing_of_it_stays(world: World, settings: SettingsWrapper, rule: str) -> None:
    settings.PLATFORM_SECOND_FACTOR = rule
    before = Account.objects.count()
    tried = conformance()["logins"]["sessions"]
    assert len(tried) == 7
    assert [one for one in tried if one["admitted"] != one["allowed"]] == []
    assert Account.objects.count() == before


def test_account_past_its_last_day_is_told_as_ended(world: World) -> None:
    Account.objects.filter(email="staff@example.test").update(until=TODAY - timedelta(days=1))
    members = {member["email"]: member["active"] for member in conformance()["members"]}
    assert (members["staff@example.test"], members["viewer@example.test"]) == (False, True)


def test_every_admin_address_needs_a_login_and_records_are_checked(db: None) -> None:
    admin = [url for url in conformance()["urls"] if url["admin"]]
    assert len(admin) > 20
    assert all(url["login"] for url in admin)
    about_records = [url for url in admin if "<" in url["pattern"] and url["pattern"] != "/admin/<app_label>/"]
    assert about_records
    assert all(url["record"] for url in about_records)


@pytest.mark.parametrize(
    "added",
    [
        path("new/", lambda _: HttpResponse(), name="new"),
        path("unnamed/", lambda _: HttpResponse()),
        path("api/", include([path("new/", lambda _: HttpResponse(), name="new")])),
    ],
)
def test_address_without_policy_is_refused_and_noticed(
    db: None,
    settings: SettingsWrapper,
    browser: Callable[..., Client],
    added: Any,
) -> None:
    assert without_policy() == []
    known = [page.name for page in pages()]
    table = type("table", (), {"urlpatterns": [*urls.urlpatterns, added]})
    settings.ROOT_URLCONF = table
    assert (
        without_policy()
        == conformance()["without_policy"]
        == [f"/{added.pattern}{'new/' * hasattr(added, 'url_patterns')}"]
    )
    assert [page.name for page in pages()] == known
    client = browser()
    client.raise_request_exception = False
    assert client.get("/new/").status_code in {404, 500}
    assert client.get("/unnamed/").status_code in {404, 500}
    assert client.get("/help/").status_code == 200


def test_policy_with_an_unknown_permission_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="chnage"):
        Policy(methods={"GET": "customers.chnage_contact"})
