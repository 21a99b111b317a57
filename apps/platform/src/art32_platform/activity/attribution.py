"""Tells the database on whose behalf its rows are changed, for the triggers of the log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError, connection

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["acting_as"]


@contextmanager
def acting_as(account: str, origin: str | None = None) -> Iterator[None]:
    """Attribute the connection's changes to an account and an address until the end of the block."""
    _attribute(account, origin or "")
    try:
        yield
    finally:
        try:
            _attribute("", "")
        except DatabaseError:
            connection.close()  # what is not taken back must not be inherited


def _attribute(account: str, origin: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('art32.account', %s, false), set_config('art32.origin', %s, false)",
            [account, origin],
        )
