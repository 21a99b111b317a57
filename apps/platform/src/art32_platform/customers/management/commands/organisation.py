"""`platform-manage organisation`: make sure that a customer organisation exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.db import transaction

from art32_platform.activity.attribution import acting_as
from art32_platform.customers.models import Organisation

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Command"]


class Command(BaseCommand):
    """Makes an organisation. Prints JSON."""

    help = "Make an organisation of this name; running it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--name", required=True)

    def handle(self, *, name: str, **_: Any) -> None:  # noqa: ANN401 - Django's signature
        """Do it."""
        with transaction.atomic(), acting_as("platform-manage organisation"):
            organisation, created = Organisation.objects.get_or_create(name=name)
        self.stdout.write(json.dumps({"id": str(organisation.pk), "name": name, "changed": created}))
