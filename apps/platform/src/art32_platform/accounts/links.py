"""Links that let somebody choose a password: invitations and resets. Each works once, and not for long."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.urls import reverse

from art32_platform.accounts.models import Link, Purpose
from art32_platform.mail import Delivery

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

    from art32_platform.accounts.models import Account

__all__ = ["VALID", "ask_for", "deliver_links", "find", "use_up"]

VALID = {Purpose.INVITATION: timedelta(hours=72), Purpose.RESET: timedelta(hours=1)}
AT_ONCE = 20
PER_HOUR = 3
SUBJECT = {Purpose.INVITATION: "Your invitation", Purpose.RESET: "Choose a new password"}
TEXT = {
    Purpose.INVITATION: "You have been invited to the platform. Choose your password here:",
    Purpose.RESET: "Somebody, we hope you, asked for a new password. Choose it here:",
}
log = logging.getLogger(__name__)


def ask_for(account: Account, purpose: Purpose, *, by: str) -> bool:
    """Have a link mailed to an account; False when enough were asked for lately or one still waits to be mailed.

    The token is made when the mail is: what waits in the database opens nothing.
    """
    recent = Link.objects.filter(account=account, created_at__gt=datetime.now(tz=UTC) - timedelta(hours=1))
    if recent.count() >= PER_HOUR or Link.objects.filter(account=account, mailed_at=None, used_at=None).exists():
        return False
    Link.objects.create(account=account, purpose=purpose, created_by=by)
    return True


def find(token: str) -> Link | None:
    """The link with this token if it still works."""
    now = datetime.now(tz=UTC)
    link = (
        Link.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=now).select_related("account").first()
    )
    return link if link and link.account.may_log_in else None


def use_up(account: Account) -> None:
    """End every link of an account."""
    Link.objects.filter(account=account, used_at=None).update(used_at=datetime.now(tz=UTC))


def deliver_links() -> Delivery:
    """Mail the links that wait, oldest first, and return how many went out, and why not all. Those wait on."""
    if not (settings.EMAIL_HOST and settings.PLATFORM_DOMAIN):
        log.warning("Links are not mailed: PLATFORM_MAIL_RELAY and PLATFORM_DOMAIN have to be set.")
        return Delivery()
    with transaction.atomic():  # what went out before a failure stays marked as mailed
        waiting = Link.objects.select_for_update(skip_locked=True, of=("self",)).select_related("account")
        return _send(list(waiting.filter(mailed_at=None, used_at=None).order_by("id")[:AT_ONCE]))


def _send(links: list[Link]) -> Delivery:
    sent, problem = 0, ""
    try:
        with get_connection() as relay:
            for link in links:
                token = secrets.token_urlsafe(32)
                link.digest, link.mailed_at = _digest(token), datetime.now(tz=UTC)
                link.expires_at = link.mailed_at + VALID[Purpose(link.purpose)]
                _message(link, token, relay).send()
                link.save()
                sent += 1
    except OSError as error:  # smtplib's exceptions among them
        problem = f"Links could not be mailed through {settings.EMAIL_HOST}: {error}"
        log.warning(problem)
    return Delivery(sent, problem)


def _message(link: Link, token: str, relay: BaseEmailBackend) -> EmailMessage:
    purpose = Purpose(link.purpose)
    address = f"https://{settings.PLATFORM_DOMAIN}{reverse('link', args=[token])}"
    return EmailMessage(
        subject=f"[{settings.PLATFORM_DOMAIN}] {SUBJECT[purpose]}",
        body=(
            f"{TEXT[purpose]}\n\n{address}\n\nThe link works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC."
            f" If you did not expect it, do nothing.\n\n{settings.PLATFORM_PROVIDER}\n"
        ),
        to=[link.account.email],
        connection=relay,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
