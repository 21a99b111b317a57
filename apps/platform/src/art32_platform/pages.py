"""Pages that belong to no narrower part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.shortcuts import render

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["healthz", "privacy"]

PLAIN = "text/plain; charset=utf-8"


@transaction.non_atomic_requests
def healthz(_: HttpRequest) -> HttpResponse:
    """200 when the platform and its database answer, otherwise 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("database: no answer\n", content_type=PLAIN, status=503)
    return HttpResponse("ok\n", content_type=PLAIN)


def privacy(request: HttpRequest) -> HttpResponse:
    """What is stored about people, and for what."""
    return render(request, "platform/privacy.html", {"provider": settings.PLATFORM_PROVIDER})
