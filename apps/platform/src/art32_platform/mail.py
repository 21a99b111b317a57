"""The way to the mail relay."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends import smtp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.core.mail.backends.base import BaseEmailBackend

__all__ = ["Delivery", "Relay", "state"]


@dataclass(frozen=True)
class Delivery:
    """How many messages went out, and why not all did; empty when all did."""

    sent: int = 0
    problem: str = ""


class Relay(smtp.EmailBackend):
    """Django's way, to a relay that PLATFORM_MAIL_CA vouches for, or else an authority that the host trusts."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """How the relay's certificate is looked at."""
        return ssl.create_default_context(cafile=settings.PLATFORM_MAIL_CA or None)


def state() -> Mapping[str, str | bool]:
    """How mail leaves, and what the relay says to a connection made just now; nothing is sent."""
    tls, answered, problem = "verified", bool(settings.EMAIL_HOST), ""
    try:
        relay = get_connection()
        tls = _protection(relay)
        if settings.EMAIL_HOST:
            with relay:
                pass
    except (ssl.SSLError, smtplib.SMTPException) as error:
        problem = str(error)
    except OSError as error:
        answered, problem = False, str(error)
    relay_at = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if settings.EMAIL_HOST else ""
    return {"relay": relay_at, "tls": tls, "answered": answered, "problem": problem}


def _protection(relay: BaseEmailBackend) -> str:
    """What the way that is used asks of the relay, whatever the settings are called."""
    if not (getattr(relay, "use_tls", False) or getattr(relay, "use_ssl", False)):
        return "none"
    context: ssl.SSLContext = getattr(relay, "ssl_context")  # noqa: B009 - of Django's way, not of every one
    verifies = context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    return "verified" if verifies else "unverified"
