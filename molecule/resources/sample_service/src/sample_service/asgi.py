"""The same page as an ASGI application."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sample_service.wsgi import about, health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Message = dict[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer; there is nothing to do at start and stop."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    page = health if scope["path"] == "/healthz" else about
    status, content = page({"wsgi.url_scheme": scope["scheme"]})
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": int(status.split()[0]), "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    while (kind := (await receive())["type"]) != "lifespan.shutdown":
        await send({"type": f"{kind}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
