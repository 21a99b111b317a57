"""`platform-manage training`: declare that a customer's primary contact was trained."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from art32_platform.activity.attribution import acting_as
from art32_platform.customers.models import Contact, Organisation, Training

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Command"]

BY = "platform-manage training"


class Command(BaseCommand):
    """Makes the person a primary contact if need be, and enters the training once. Prints JSON."""

    help = "Enter a training of an organisation's primary contact; running it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--organisation", required=True)
        parser.add_argument("--email", required=True, help="of the contact person")
        parser.add_argument("--name", required=True, help="of the contact person")
        parser.add_argument("--topic", required=True)
        parser.add_argument("--trained-on", type=date.fromisoformat, required=True)
        parser.add_argument("--due-on", type=date.fromisoformat, help="default: a year later")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Do it in one transaction.

        Raises CommandError when the organisation does not exist or a date is impossible; nothing is changed then.
        """
        organisation = Organisation.objects.filter(name=options["organisation"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {options['organisation']!r}.")
        try:
            with transaction.atomic(), acting_as(BY):
                changed = _bring_about(organisation, options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(json.dumps({"organisation": organisation.name, "changed": changed}))


def _bring_about(organisation: Organisation, options: dict[str, Any]) -> bool:
    contact = organisation.contacts.filter(email=options["email"]).first()
    changed = contact is None or not contact.is_primary
    contact = contact or Contact(organisation=organisation, email=options["email"], name=options["name"])
    if changed:
        contact.is_primary = True
        contact.full_clean()
        contact.save()
    if contact.trainings.filter(topic=options["topic"], trained_on=options["trained_on"]).exists():
        return changed
    training = Training(contact=contact, organisation=organisation, topic=options["topic"], entered_by=BY)
    training.trained_on, training.due_on = options["trained_on"], options["due_on"]
    training.full_clean()
    training.save()
    return True
