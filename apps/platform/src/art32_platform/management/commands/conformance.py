"""`platform-manage conformance`: answer for the promises about people and data."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand

from art32_platform.conformance import conformance

__all__ = ["Command"]


class Command(BaseCommand):
    """Prints JSON by controls/conformance.schema.json; reads, and changes nothing."""

    help = "Print, as JSON, how the platform keeps the promises about people and data."

    def handle(self, **_: Any) -> None:  # noqa: ANN401 - Django's signature
        """Print it.

        Raises ImproperlyConfigured when a URL has no policy.
        """
        self.stdout.write(json.dumps(conformance(), indent=2))
