"""Who gets at what they should not: asked for, of the whole chain from middleware to page, not described.

People and customers are made for it, each address is asked for as each of them, and nothing of it stays: all happens in
a transaction that is undone.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from django.test.client import ClientHandler
from django.test.utils import override_settings
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY

from art32_platform.access.policies import ADMIN
from art32_platform.access.urls import pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import Model

    from art32_platform.access.urls import Page
    from art32_platform.accounts.models import Account

__all__ = ["attempts", "sessions"]

BACKEND = "art32_platform.accounts.backend.Backend"
METHODS = ("GET", "POST")
REFUSED = {401, 403, 404, 405}
# Lists, which have to leave out what their reader may not see.
LISTS = ("home", "admin:customers_contact_changelist", "admin:customers_organisation_changelist")
BEHIND_LOGIN = "security"  # the own page of everybody, whatever they may see
PARTS = {"id": "account"}  # parts of addresses that are not named like the record that they hold
# What each of them may: pages by the beginning of their name, with the methods. All the rest has to be refused.
MAY: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "anonymous": (),
    "outsider": (),
    "former": (),
    "viewer": (("organisation", ("GET",)), ("contact", ("GET",))),
    "staff": (("admin:helpdesk_helprequest_change", METHODS),),
    "staff-elsewhere": (("admin:helpdesk_helprequest_change", METHODS),),
    "administrator": (
        ("organisation-edit", METHODS),
        ("organisation-activity", METHODS),
        ("organisation-people", METHODS),
        ("organisation-invite", METHODS),
        ("person-edit", METHODS),
        ("person-remove", METHODS),
        *(
            (f"{ADMIN}{kind}", METHODS)
            for kind in ("accounts", "activity", "auth", "customers_organisation", "customers_membership", "helpdesk")
        ),
    ),
}
# Lists in which they may find the customer.
READS = {"viewer": {"home"}, "administrator": {"admin:customers_organisation_changelist"}}
EXACT = {"organisation", "contact"}


@dataclass(frozen=True)
class _Scene:
    """What was made: the records to ask for, who asks, and the words that only members may read."""

    records: dict[str, Model]
    people: dict[str, Account | None]
    secrets: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class _Session:
    """What a session has: its times, whether a code was given, and what became of its account meanwhile."""

    started: datetime
    seen: datetime
    has_second_factor: bool = True
    changes_password: bool = False
    account: Mapping[str, Any] = field(default_factory=dict)


def attempts() -> list[dict[str, Any]]:
    """Each request that has to be refused, or to leave a customer out, and what came of it."""
    with _undone(), _own_key(), override_settings(ALLOWED_HOSTS=["testserver"]):
        scene = _scene()
        handler = ClientHandler(enforce_csrf_checks=False)
        return [
            _attempt(scene, client, who, page, method)
            for who, account in scene.people.items()
            for client in [_client(account, handler)]
            for page in pages()
            for method in page.policy.methods
            if _is_asked(who, page, method)
        ]


def sessions() -> list[dict[str, Any]]:
    """Each kind of session with which somebody asks for a page behind the login, and whether it got there."""
    from art32_platform.accounts.models import Account  # noqa: PLC0415 - models are ready only now

    now = datetime.now(tz=UTC)
    longest, idle = settings.PLATFORM_SESSION_LIMIT, settings.PLATFORM_IDLE_LIMIT
    moment, yesterday = timedelta(minutes=1), now.date() - timedelta(days=1)
    kinds: tuple[tuple[str, bool, _Session], ...] = (
        ("in order", True, _Session(started=now, seen=now)),
        ("without a second factor", False, _Session(started=now, seen=now, has_second_factor=False)),
        ("idle for too long", False, _Session(started=now - idle - 2 * moment, seen=now - idle - moment)),
        ("longer than any may be", False, _Session(started=now - longest - moment, seen=now)),
        ("from before the last password", False, _Session(started=now, seen=now, changes_password=True)),
        ("of an account that was closed", False, _Session(started=now, seen=now, account={"is_active": False})),
        ("of an account past its last day", False, _Session(started=now, seen=now, account={"until": yesterday})),
    )
    with _undone(), _own_key(), override_settings(ALLOWED_HOSTS=["testserver"]):
        found, handler = [], ClientHandler(enforce_csrf_checks=False)
        for number, (kind, allowed, session) in enumerate(kinds):
            # Staff and administrator at once: whoever is asked for a second factor, this account is.
            email = f"session-{number}-{secrets.token_hex(8)}@conformance.invalid"
            account = Account.objects.create_user(email, is_staff=True, is_administrator=True)
            response = _client(account, handler, session).get(reverse(BEHIND_LOGIN), secure=True)
            found.append({"session": kind, "allowed": allowed, "admitted": response.status_code == HTTPStatus.OK})
        return found


@contextmanager
def _undone() -> Iterator[None]:
    """Nothing stays; refusals, which are what is wanted, are not logged."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
    finally:
        logging.disable(before)


@contextmanager
def _own_key() -> Iterator[None]:
    """A key that the sessions made here are signed with: the command runs without the platform's."""
    try:
        before = settings.SECRET_KEY
    except ImproperlyConfigured:
        before = ""
    settings.SECRET_KEY = secrets.token_urlsafe(64)
    try:
        yield
    finally:
        settings.SECRET_KEY = before


def _is_asked(who: str, page: Page, method: str) -> bool:
    if page.name in LISTS:
        return method == "GET" and page.name not in READS.get(who, ())
    if not _part(page):
        return False
    for name, methods in MAY[who]:
        if (page.name == name if name in EXACT else page.name.startswith(name)) and method in methods:
            return False
    return True


def _part(page: Page) -> str:
    """Which kind of record an address holds; empty when it holds none."""
    found = page.pattern.rpartition("<")[2].partition(">")[0].rpartition(":")[2]
    if found == "object_id":
        return page.name.partition("_")[2].rpartition("_")[0]
    found = PARTS.get(found, found)
    return found if found in {"organisation", "contact", "membership", "account"} else ""


def _attempt(scene: _Scene, client: Client, who: str, page: Page, method: str) -> dict[str, Any]:
    path = reverse(page.name, args=[scene.records[_part(page)].pk] if _part(page) else [])
    with transaction.atomic():
        response = client.generic(method, path, secure=True)
        text = b"".join(response) if response.streaming else response.content
        transaction.set_rollback(True)
    away = response.status_code == HTTPStatus.FOUND
    to_login = away and response.headers["Location"].startswith(reverse(settings.LOGIN_URL))
    return {
        "who": who,
        "pattern": page.pattern,
        "method": method,
        "answer": response.status_code,
        "refused": response.status_code in REFUSED or to_login,
        "shown": any(word.encode() in text for word in scene.secrets),
        "list": page.name in LISTS,
    }


def _client(account: Account | None, handler: ClientHandler, kept: _Session | None = None) -> Client:
    """A browser in which this account is logged in, with a second factor, or as the session says.

    All share the handler: when it is made, it reads every static file.
    """
    client = Client(raise_request_exception=False, REMOTE_ADDR="127.0.0.1")
    client.handler = handler
    if account is None:
        return client
    from art32_platform.accounts.sessions import FACTS, SessionStore, begin  # noqa: PLC0415 - models are ready only now

    session = SessionStore()
    session[SESSION_KEY] = str(account.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = account.get_session_auth_hash()
    if kept is None or kept.has_second_factor:
        session[DEVICE_ID_SESSION_KEY] = "made for an attempt"
    begin(session, origin="127.0.0.1", agent="conformance")
    if kept:
        times = {"started": kept.started.timestamp(), "seen": kept.seen.timestamp()}
        session[FACTS] = {**session[FACTS], **times}
    session.save()
    if kept:
        if kept.changes_password:
            account.set_unusable_password()  # another one than before, for nothing is kept twice
        for name, value in kept.account.items():
            setattr(account, name, value)
        account.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


def _scene() -> _Scene:
    account, organisation, contact, membership = (
        apps.get_model(label)
        for label in ("accounts.Account", "customers.Organisation", "customers.Contact", "customers.Membership")
    )
    mark, today = secrets.token_hex(8), datetime.now(tz=UTC).date()
    own, other = (organisation.objects.create(name=f"{mark} {word}") for word in ("own", "other"))
    people = {
        name: account.objects.create_user(
            f"{name}-{mark}@conformance.invalid",
            is_staff=name.startswith(("staff", "administrator")),
            is_administrator=name == "administrator",
        )
        for name in MAY
        if name != "anonymous"
    }
    member = account.objects.create_user(f"member-{mark}@conformance.invalid")
    records = {
        "organisation": own,
        "contact": contact.objects.create(organisation=own, name=f"{mark} contact"),
        "membership": membership.objects.create(account=member, organisation=own, role=10),
        "account": member,
        "activity": apps.get_model("activity.Activity").objects.filter(entity=own.pk).latest("id"),
        "helprequest": apps.get_model("helpdesk.HelpRequest").objects.create(
            email="x@conformance.invalid", message=mark
        ),
    }
    for who, where, role, until in (
        ("outsider", other, 30, None),
        ("former", own, 30, today - timedelta(days=1)),
        ("viewer", own, 10, None),
        ("staff-elsewhere", other, 30, today + timedelta(days=1)),
    ):
        membership.objects.create(account=people[who], organisation=where, role=role, until=until)
    return _Scene(records, {"anonymous": None, **people}, (f"{mark} own", f"{mark} contact"))
