"""Limits to guessing beyond those of one account from one address, which django-axes keeps (settings.AXES_*).

Both count the failed logins that the activity log has. Neither lets a stranger shut out an account's owner.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from art32_platform.activity.models import Action, Activity

if TYPE_CHECKING:
    from django.db.models import QuerySet

__all__ = ["is_shut_out"]

ADDRESS_WINDOW = timedelta(minutes=15)
ACCOUNT_WINDOW = timedelta(hours=1)
KNOWN_FOR = timedelta(days=90)


def is_shut_out(email: str, origin: str | None) -> bool:
    """Whether a login to an account from an address is refused before the password is looked at.

    One address that fails for many accounts has to wait. An account at which many addresses fail is open only to
    addresses from which its owner has logged in before.
    """
    if _failed(ADDRESS_WINDOW).filter(origin=origin).count() >= settings.PLATFORM_FAILURES_OF_AN_ADDRESS:
        return True
    guessers = _failed(ACCOUNT_WINDOW).filter(account=email).values("origin").distinct().count()
    return guessers >= settings.PLATFORM_GUESSERS_OF_AN_ACCOUNT and not _is_known(email, origin)


def _failed(window: timedelta) -> QuerySet[Activity]:
    return Activity.objects.filter(action=Action.LOGIN_FAILED, at__gt=datetime.now(tz=UTC) - window).order_by()


def _is_known(email: str, origin: str | None) -> bool:
    since = datetime.now(tz=UTC) - KNOWN_FOR
    return Activity.objects.filter(action=Action.LOGIN, account=email, origin=origin, at__gt=since).exists()
