"""Answers with what it is and sees, as JSON.

/healthz     the status it was built with
/            its release, user, environment, the digests of its credentials, what it may do
/database    who it is to the database, and the migrations that were run
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from sample_service import CRASHES, HANGS, HANGS_AS_CURRENT, HEALTH, HEALTH_AS_CURRENT, HEALTH_HANGS, RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IS_CURRENT = "/current/" in os.environ["PATH"]

if CRASHES or "SAMPLE_CRASHES" in os.environ:
    raise RuntimeError("built to crash at its start")
if HANGS:
    signal.pause()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer."""
    pages = {"/healthz": health, "/database": database}
    status, content = pages.get(environ["PATH_INFO"], about)(environ)
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def health(_: dict[str, Any]) -> tuple[str, Any]:
    """Answer as it was built to."""
    _hang_if_built_to()
    if HEALTH_HANGS:
        signal.pause()
    return HEALTH_AS_CURRENT if IS_CURRENT else HEALTH, {"release": RELEASE}


def about(environ: dict[str, Any]) -> tuple[str, Any]:
    """Tell what the process sees of its surroundings."""
    _hang_if_built_to()
    credentials = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"))
    return "200 OK", {
        "release": RELEASE,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "scheme": environ["wsgi.url_scheme"],
        "greeting": os.environ.get("GREETING"),
        "environment": sorted(os.environ),
        "credentials": {file.name: _digest(file) for file in sorted(credentials.glob("*"))},
        "writable": [place for place in ("/srv", "/etc", "/var/lib", "/home", "/run") if os.access(place, os.W_OK)],
        "network": _network(),
    }


def database(_: dict[str, Any]) -> tuple[str, Any]:
    """Ask the database."""
    with psycopg.connect() as connection:
        user = connection.execute("select current_user").fetchone()
        migrations = connection.execute("select release, who from migration order by number").fetchall()
    return "200 OK", {"user": user and user[0], "migrations": migrations}


def _hang_if_built_to() -> None:
    """Wait for what never comes; unlike a pause, a signal does not end it."""
    if HANGS_AS_CURRENT and IS_CURRENT:
        threading.Event().wait()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _network() -> str:
    try:
        with socket.create_connection(("127.0.0.1", 22), timeout=1):
            return "connected"
    except OSError as error:
        return type(error).__name__
