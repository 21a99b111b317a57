"""What the platform reads from where it runs."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

__all__ = ["choice", "data_key", "host_and_port", "login_role", "number", "require_for_serving", "secret_key"]

SECRET_KEY = "DJANGO_SECRET_KEY"  # noqa: S105 - the name of a secret, not a secret
DATA_KEY = "PLATFORM_DATA_KEY"
SECRET_KEY_LENGTH = 50
DATA_KEY_LENGTH = 32


def secret_key() -> str:
    """The secret key: from the unit's credentials, in development from the environment; empty when there is none.

    Commands that sign nothing (migrate, conformance) run without it; a server refuses to start (require_for_serving).
    """
    return _secret(SECRET_KEY)


def data_key() -> str:
    """What the keys of authenticators are encrypted with: from the same places; empty when there is none.

    Raises ImproperlyConfigured for one that is too short.
    """
    key = _secret(DATA_KEY)
    if key and len(key) < DATA_KEY_LENGTH:
        raise ImproperlyConfigured(f"{DATA_KEY} has {len(key)} characters; at least {DATA_KEY_LENGTH} are needed.")
    return key


def login_role() -> str:
    """The database role that the running platform logs in as."""
    return os.environ.get("PLATFORM_LOGIN_ROLE") or os.environ.get("PGDATABASE") or ""


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """The variable's value, one of those allowed; the first is the default.

    Raises ImproperlyConfigured for another.
    """
    value = os.environ.get(name) or allowed[0]
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: {', '.join(allowed)}.")
    return value


def number(name: str, *, default: int, least: int = 1, most: int) -> int:
    """The variable's value, a whole number.

    Raises ImproperlyConfigured for another.
    """
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ImproperlyConfigured(f"{name} is {text!r}; allowed: {least} to {most}.")
    return int(text)


def host_and_port(value: str, *, name: str, port: int) -> tuple[str, int]:
    """Split `host`, `host:port` or `[IPv6]:port`; the port given is the default.

    Raises ImproperlyConfigured when the port is none.
    """
    host, colon, text = value.rpartition(":")
    if not colon or value.endswith("]"):
        return value.strip("[]"), port
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: host or host:port, port 1 to 65535.")
    return host.strip("[]"), int(text)


def require_for_serving() -> None:
    """Refuse to serve without a real secret key and a domain.

    Raises ImproperlyConfigured with the name of what is missing.
    """
    if len(secret_key()) < SECRET_KEY_LENGTH:
        raise ImproperlyConfigured(
            f"{SECRET_KEY} has {len(secret_key())} characters; at least {SECRET_KEY_LENGTH} are needed, "
            f"in $CREDENTIALS_DIRECTORY/{SECRET_KEY} or the environment variable {SECRET_KEY}.",
        )
    if not os.environ.get("PLATFORM_DOMAIN"):
        raise ImproperlyConfigured("PLATFORM_DOMAIN is empty; it must name the host that the platform answers for.")


def _secret(name: str) -> str:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (path := Path(credentials) / name).is_file():
        return path.read_text(encoding="utf-8").strip()
    return os.environ.get(name, "").strip()
