"""Asking for help."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.shortcuts import redirect, render

from art32_platform.client import address
from art32_platform.helpdesk.forms import HelpForm
from art32_platform.helpdesk.mail import deliver
from art32_platform.helpdesk.models import HelpRequest

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

__all__ = ["ask", "sent"]


def ask(request: HttpRequest) -> HttpResponse:
    """The form; what is sent is stored first, and mailed once it is."""
    form = HelpForm(request, request.POST or None)
    context = {"form": form, "address": settings.PLATFORM_HELP_ADDRESS}
    if request.method != "POST" or not form.is_valid():
        return render(request, "helpdesk/ask.html", context)
    origin = address(request)
    if _too_many(origin):
        form.add_error(None, "Too many requests for help came from your address. Please try again in an hour.")
        return render(request, "helpdesk/ask.html", context, status=429)
    form.instance.origin = origin
    question = form.save()
    transaction.on_commit(deliver)
    return redirect("help-sent", question.reference)


def sent(request: HttpRequest, reference: str) -> HttpResponse:
    """Thanks, and the reference; whether there is such a request is not told to those who guess."""
    return render(request, "helpdesk/sent.html", {"reference": reference, "address": settings.PLATFORM_HELP_ADDRESS})


def _too_many(origin: str | None) -> bool:
    hour = datetime.now(tz=UTC) - timedelta(hours=1)
    return HelpRequest.objects.filter(origin=origin, asked_at__gt=hour).count() >= settings.PLATFORM_HELP_PER_HOUR
