"""Middleware: what every answer says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    type_of_get_response = Callable[[HttpRequest], HttpResponse]

__all__ = ["ACCOUNT", "account_header", "security_headers"]

ACCOUNT = "X-Account"
# The pages, Django's admin included, load their own files and nothing else; no inline script or style.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def security_headers(get_response: type_of_get_response) -> type_of_get_response:
    """Add the headers that Django's SecurityMiddleware does not know, and keep pages out of caches."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")  # static files have said theirs
        return response

    return middleware


def account_header(get_response: type_of_get_response) -> type_of_get_response:
    """Name the account in X-Account, for the access log of the reverse proxy, which hides it from the client.

    The answer to a login names who logged in, the answer to a logout who logged out.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        before = _account(request)
        response = get_response(request)
        if account := _account(request) or before:
            response.headers[ACCOUNT] = account
        return response

    return middleware


def _account(request: HttpRequest) -> str:
    try:
        return request.user.email if request.user.is_authenticated else ""
    except DatabaseError:  # the answer that tells of it shall reach the client
        return ""
