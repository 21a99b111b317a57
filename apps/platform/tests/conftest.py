"""A real database, people with every kind of access, and a client that comes through the reverse proxy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.client import ClientHandler
from django_otp import DEVICE_ID_SESSION_KEY

from art32_platform.accounts import sealing
from art32_platform.accounts.models import Account, Authenticator
from art32_platform.accounts.sessions import SessionStore, begin
from art32_platform.customers.models import Contact, Membership, Organisation, Role

from .cluster import SUPERUSER, running_cluster
from .figures import pytest_configure  # noqa: F401 - a hook of pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import DjangoDbBlocker

PASSWORD = "correct horse battery staple"
PROXY = {"REMOTE_ADDR": "", "HTTP_X_FORWARDED_PROTO": "https", "HTTP_HOST": "platform.example.test"}
TODAY = datetime.now(tz=UTC).date()
ADDRESS = "198.51.100.7"
AUTHENTICATOR_KEY = bytes(range(20))
HANDLER = ClientHandler(enforce_csrf_checks=False)  # one for all: it reads the static files when it is made


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Point Django at a cluster of this run before it makes its test database."""
    with running_cluster() as socket:
        for values in (settings.DATABASES["default"], connections["default"].settings_dict):
            values.update({"HOST": str(socket), "USER": SUPERUSER, "CONN_MAX_AGE": 0})
        yield
        connections.close_all()


@dataclass(frozen=True)
class World:
    """Two customers, the people at each, and the provider's staff."""

    own: Organisation
    foreign: Organisation
    own_contact: Contact
    foreign_contact: Contact
    people: dict[str, Account]


@pytest.fixture
def world(db: None) -> World:
    """One person of each kind: members of `own` by role, `outsider` of `foreign`, staff with and without roles."""
    own = Organisation.objects.create(name="Own GmbH", address="Hauptstrasse 1")
    foreign = Organisation.objects.create(name="Foreign SARL")
    people = {
        name: Account.objects.create_user(f"{name}@example.test", PASSWORD, **flags)
        for name, flags in {
            "viewer": {},
            "editor": {},
            "manager": {},
            "outsider": {},
            "staff": {"is_staff": True},
            "staff-viewer": {"is_staff": True},
            "staff-editor": {"is_staff": True},
            "staff-manager": {"is_staff": True},
            "administrator": {"is_staff": True, "is_administrator": True},
        }.items()
    }
    for name, account in people.items():
        role = next((role for role in Role if name.endswith(role.label)), None)
        if role:
            until = TODAY + timedelta(days=7) if account.is_staff else None
            Membership.objects.create(account=account, organisation=own, role=role, until=until)
        if account.needs_second_factor:
            key = sealing.sealed(AUTHENTICATOR_KEY, about=Authenticator.about(account.pk))
            Authenticator.objects.create(user=account, name="Authenticator", key=key)
    Membership.objects.create(account=people["outsider"], organisation=foreign, role=Role.MANAGER)
    world = World(
        own=own,
        foreign=foreign,
        own_contact=Contact.objects.create(organisation=own, name="Olga Own"),
        foreign_contact=Contact.objects.create(organisation=foreign, name="Fabrice Foreign"),
        people=people,
    )
    as_if_committed()
    return world


def as_if_committed() -> None:
    """Let happen what the end of a transaction lets happen: foreign keys are checked, the log gets its links."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@pytest.fixture
def browser() -> Callable[..., Client]:
    """Make a client behind the reverse proxy, logged in as an account when one is given."""

    def make(account: Account | None = None, address: str = ADDRESS) -> Client:
        client = Client(**{**PROXY, "HTTP_X_REAL_IP": address})
        client.handler = HANDLER
        if account:
            client.cookies[settings.SESSION_COOKIE_NAME] = _session_of(account)
        return client

    cache.clear()
    return make


@pytest.fixture
def committing(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A copy of the database in which transactions really end, by its name; the log could not be emptied."""
    with django_db_blocker.unblock():
        if not connection.settings_dict["NAME"].startswith("test_"):  # no other test of this run wants a database
            connection.creation.create_test_db(verbosity=0, autoclobber=True)
        original = connection.settings_dict["NAME"]
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE chained TEMPLATE {original}")
        connection.settings_dict["NAME"] = "chained"
        yield "chained"
        connection.close()
        connection.settings_dict["NAME"] = original
        with connection._nodb_cursor() as cursor:
            cursor.execute("DROP DATABASE chained WITH (FORCE)")


def _session_of(account: Account) -> str:
    """What a login would leave, without its rows in the log."""
    session = SessionStore()
    session[SESSION_KEY] = str(account.pk)
    session[BACKEND_SESSION_KEY] = "art32_platform.accounts.backend.Backend"
    session[HASH_SESSION_KEY] = account.get_session_auth_hash()
    begin(session, origin=ADDRESS, agent="A browser")
    if account.needs_second_factor:
        session[DEVICE_ID_SESSION_KEY] = Authenticator.objects.get(user=account).persistent_id
    session.save()
    return str(session.session_key)
