"""`platform-manage activity_head`: the head of the log's chain, to be kept elsewhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from art32_platform.activity.chain import head

__all__ = ["Command"]


class Command(BaseCommand):
    """Prints NUMBER:HASH; `verify_activity --head` compares the log with it later."""

    help = "Print the head of the activity log's chain, so that a log cut short later is noticed."

    def handle(self, **_: Any) -> None:  # noqa: ANN401 - Django's signature
        """Print it."""
        self.stdout.write(str(head(connection)))
