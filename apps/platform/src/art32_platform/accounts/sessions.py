"""Sessions in the database: whose each is, how long it may last, and a list for its owner.

The name of this module is the setting SESSION_ENGINE.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django_otp import DEVICE_ID_SESSION_KEY

from art32_platform.client import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest, HttpResponse

    from art32_platform.accounts.models import Account, Session

__all__ = ["SessionStore", "begin", "connect", "end", "end_others", "limits", "public_name", "sessions_of"]

FACTS = "facts"  # where a session keeps what its row shows
AGENT_LENGTH = 200
SEEN_EVERY = timedelta(minutes=1)  # a row is not written anew for each request


class SessionStore(DatabaseStore):
    """Django's store in the database, with the owner and times as columns."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """The model of the rows."""
        from art32_platform.accounts.models import Session  # noqa: PLC0415 - models are ready only now

        return Session

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        """The row to be saved."""
        row: Session = super().create_model_instance(data)  # type: ignore[assignment, arg-type] # of our model
        facts = data.get(FACTS)
        if facts and data.get(SESSION_KEY):
            row.account_id = int(data[SESSION_KEY])
            row.started_at, row.seen_at = _time(facts["started"]), _time(facts["seen"])
            row.origin, row.agent = facts["origin"], facts["agent"]
        return row


def connect() -> None:
    """Note when and from where a session begins, at each login."""
    user_logged_in.connect(_logged_in)


def begin(session: Any, *, origin: str | None, agent: str) -> None:  # noqa: ANN401 - any of Django's session stores
    """Start the clock of a session."""
    now = datetime.now(tz=UTC).timestamp()
    session[FACTS] = {"started": now, "seen": now, "origin": origin, "agent": agent[:AGENT_LENGTH]}


def limits(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: end sessions that are idle or last for too long, or lack a second factor that is asked for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and not _holds(request, request.user):
            request.session.flush()
            request.user = AnonymousUser()
        return get_response(request)

    return middleware


def sessions_of(account: Account) -> list[Session]:
    """The sessions of an account that are alive, last seen first."""
    now = datetime.now(tz=UTC)
    return list(
        account.sessions.filter(
            expire_date__gt=now,
            started_at__gt=now - settings.PLATFORM_SESSION_LIMIT,
            seen_at__gt=now - settings.PLATFORM_IDLE_LIMIT,
        )
    )


def public_name(key: str) -> str:
    """A name for a session that shows nothing of its key, which is what the cookie holds."""
    return hashlib.sha256(f"session:{key}".encode()).hexdigest()[:32]


def end(account: Account, name: str) -> bool:
    """End one session of an account by its public name; False when there is none."""
    for session in account.sessions.all():
        if hmac.compare_digest(public_name(session.session_key), name):
            session.delete()
            return True
    return False


def end_others(account: Account, key: str | None) -> int:
    """End all sessions of an account but the one with this key; says how many."""
    return int(account.sessions.exclude(session_key=key or "").delete()[0])


def _holds(request: HttpRequest, account: Account) -> bool:
    facts = request.session.get(FACTS)
    if not facts or (account.needs_second_factor and not request.session.get(DEVICE_ID_SESSION_KEY)):
        return False
    now = datetime.now(tz=UTC)
    if now - _time(facts["started"]) > settings.PLATFORM_SESSION_LIMIT:
        return False
    if now - _time(facts["seen"]) > settings.PLATFORM_IDLE_LIMIT:
        return False
    if now - _time(facts["seen"]) > SEEN_EVERY:
        request.session[FACTS] = {**facts, "seen": now.timestamp()}
    return True


def _logged_in(request: HttpRequest, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    begin(request.session, origin=address(request), agent=request.headers.get("User-Agent", ""))
    SessionStore.clear_expired()


def _time(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, tz=UTC)
