"""Where a request comes from."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["address"]


def address(request: HttpRequest) -> str | None:
    """The client's address, or None when nobody trustworthy tells it.

    A peer on the unix socket has no address: it is the reverse proxy, which always sets X-Real-IP itself. Over TCP the
    peer's own address counts, whatever it claims: behind a header that clients can choose, throttling is worth nothing.
    """
    peer = request.META.get("REMOTE_ADDR")
    return _checked(peer) if peer else _checked(request.META.get("HTTP_X_REAL_IP", ""))


def _checked(text: str) -> str | None:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None
