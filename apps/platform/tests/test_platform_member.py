"""The collection's module platform_member works on the platform's real schema, and the platform on what it made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.platform_member.database import Target, reconcile
from ansible_collections.art32.server.plugins.module_utils.platform_member.model import MemberError
from ansible_collections.art32.server.plugins.module_utils.platform_member.task import declared
from django.core import mail
from django.db import connection

from art32_platform.accounts.links import deliver_links
from art32_platform.accounts.models import Account, Link
from art32_platform.activity.chain import verify
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Membership

from .cluster import SUPERUSER
from .conftest import PASSWORD, TODAY
from .test_login import login

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

JANE = {"name": "Jane", "email": "Jane@provider.example", "platform": "administrator", "until": None}
ADA = {"email": "ada@customer.example", "name": "Ada", "organisation": "Customer", "role": "editor", "until": None}
SOON = (TODAY + timedelta(days=7)).isoformat()
DECLARED: dict[str, Any] = {
    "people": [JANE, {"name": "sam", "email": "sam@provider.example", "platform": None, "until": None}],
    "members": [ADA, {**ADA, "email": "jane@provider.example", "until": SOON}],
    "exact": "all",
    "passwords": {},
    "invite": True,
}


def run(database: str, *, check: bool = False, **changes: Any) -> list[str]:
    host = str(connection.settings_dict["HOST"])
    target = Target(database=database, socket=host, port=5432, user=SUPERUSER)
    return [change.text for change in reconcile(target, declared({**DECLARED, **changes}), check=check)]


def test_members_are_made_once_and_invited(committing: str, browser: Callable[..., Client]) -> None:
    predicted = run(committing, check=True)
    assert not Account.objects.exists()
    assert run(committing) == predicted
    assert len(predicted) == 7
    assert run(committing) == []
    jane = Account.objects.get(email="jane@provider.example")
    assert (jane.is_staff, jane.is_administrator, jane.has_usable_password()) == (True, True, False)
    assert [membership.get_role_display() for membership in Membership.objects.current()] == ["editor", "editor"]
    rows = Activity.objects.filter(account="platform_member", action="insert").values_list("kind", flat=True)
    assert set(rows) == {"accounts.account", "accounts.link", "customers.organisation", "customers.membership"}
    assert not verify(connection).problem
    assert deliver_links().sent == 2
    assert {message.to[0] for message in mail.outbox} == {"jane@provider.example", "ada@customer.example"}
    assert run(committing) == [], "an invitation that still works is not made anew"
    Link.objects.update(expires_at=datetime.now(tz=UTC) - timedelta(days=1))
    assert run(committing) == ["invite jane@provider.example", "invite ada@customer.example"]
    jane.set_password(PASSWORD)
    jane.save()
    assert "invite jane@provider.example" not in run(committing)
    assert run(committing) == [], "idempotent without knowing the password"


def test_who_is_not_declared_is_out_at_once(committing: str, browser: Callable[..., Client]) -> None:
    run(committing, passwords={"ada@customer.example": PASSWORD})
    client = browser()
    assert login(client, "ada@customer.example", PASSWORD).status_code == 302
    assert client.get("/").status_code == 200
    assert run(committing, members=[], exact="staff") == ["jane@provider.example is nothing of Customer"]
    assert client.get("/").status_code == 200
    assert "end account ada@customer.example" in run(committing, members=[])
    assert client.get("/").status_code == 302
    assert not login(browser(), "ada@customer.example", PASSWORD).headers.get("Location")
    assert run(committing, members=[]) == []


def test_declared_password_logs_in_and_is_kept(
    committing: str, browser: Callable[..., Client], settings: SettingsWrapper
) -> None:
    settings.PASSWORD_HASHERS = ["art32_platform.accounts.passwords.Hasher"]
    passwords = {"ada@customer.example": "x" * 80 + "ü"}
    assert not [text for text in run(committing, passwords=passwords) if text == "invite ada@customer.example"]
    stored = Account.objects.get(email="ada@customer.example").password
    assert stored.startswith("bcrypt_sha256$$2b$12$")
    assert login(browser(), "ada@customer.example", passwords["ada@customer.example"]).status_code == 302
    assert Account.objects.get(email="ada@customer.example").password != stored, "made anew at the platform's cost"
    assert run(committing, passwords=passwords) == []
    assert run(committing, passwords={"ada@customer.example": "another"}) == [
        "set the password of ada@customer.example",
        "end the sessions of ada@customer.example",
    ]


def test_other_schema_is_refused(committing: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('accounts', '0099_later', now())")
    with pytest.raises(MemberError, match="has the schema accounts 0099_later; this module knows 00"):
        run(committing)
    assert not Account.objects.exists()
    with pytest.raises(MemberError, match="is no database of the platform"):
        run("postgres")
    with pytest.raises(MemberError, match='database "nowhere" does not exist'):
        run("nowhere")
