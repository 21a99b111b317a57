"""Telling the team by e-mail what was asked."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction

from art32_platform.helpdesk.models import HelpRequest
from art32_platform.mail import Delivery

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

__all__ = ["deliver"]

AT_ONCE = 10
log = logging.getLogger(__name__)


def deliver() -> Delivery:
    """Mail the requests that have not been mailed, oldest first, and return how many went out, and why not all.

    One that cannot be mailed stays in the database and goes out with the next; the journal says why. Rows are locked
    while they are mailed, so that two workers do not send the same one.
    """
    if not (settings.PLATFORM_HELP_ADDRESS and settings.EMAIL_HOST):
        log.warning("Help is not mailed: PLATFORM_HELP_ADDRESS and PLATFORM_MAIL_RELAY have to be set.")
        return Delivery()
    with transaction.atomic():  # what went out before a failure stays marked as mailed
        waiting = HelpRequest.objects.select_for_update(skip_locked=True).filter(mailed_at=None).order_by("id")
        return _send(list(waiting[:AT_ONCE]))


def _send(requests: list[HelpRequest]) -> Delivery:
    sent, problem = 0, ""
    try:
        with get_connection() as relay:
            for request in requests:
                _message(request, relay).send()
                request.mailed_at = datetime.now(tz=UTC)
                request.save(update_fields=["mailed_at"])
                sent += 1
    except OSError as error:  # smtplib's exceptions among them
        problem = f"Help could not be mailed through {settings.EMAIL_HOST}: {error}"
        log.warning(problem)
    return Delivery(sent, problem)


def _message(request: HelpRequest, relay: BaseEmailBackend) -> EmailMessage:
    return EmailMessage(
        subject=f"[{settings.PLATFORM_DOMAIN}] Request for help {request.reference}",
        body=(
            f"{request.message}\n\n-- \nReference: {request.reference}\nFrom: {request.email}\n"
            f"Logged in as: {request.account or 'nobody'}\nPage: {request.page or 'not told'}\n"
            f"Asked: {request.asked_at:%Y-%m-%d %H:%M} UTC\n"
        ),
        to=[settings.PLATFORM_HELP_ADDRESS],
        reply_to=[request.email],
        connection=relay,
    )
