"""Pages for requests that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render

from art32_platform.activity.recording import record_refusal

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

__all__ = ["csrf_failure", "forbidden", "not_found"]


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Not allowed; written down, wherever it was refused."""
    record_refusal(request, needs=str(exception) or "another permission")
    text = "Your account may not do this. Ask a manager of your organisation, or ask us for help."
    return _answer(request, 403, "Not allowed", text)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Not there, or not for this account: nobody can tell which."""
    return _answer(request, 404, "Page not found", "There is nothing here, or nothing for your account.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """A form without its token: too old, without cookies, or sent by another site."""
    record_refusal(request, needs="the form's token")
    text = "The form was too old, or your browser keeps no cookies. Please go back, load the page anew and try again."
    return _answer(request, 403, "The form has expired", text)


def _answer(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    return render(request, "platform/error.html", {"title": title, "text": text}, status=status)
