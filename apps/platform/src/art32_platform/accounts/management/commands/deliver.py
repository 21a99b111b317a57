"""`platform-manage deliver`: mail what waits to be mailed."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from art32_platform.accounts.links import deliver_links
from art32_platform.activity.attribution import acting_as
from art32_platform.helpdesk.mail import deliver

__all__ = ["Command"]


class Command(BaseCommand):
    """Mails invitations, links to reset a password, and requests for help that wait. Prints JSON.

    Fails when the relay does not take them, or is not the one that may have them; they wait on.
    """

    help = "Mail the invitations and requests for help that wait."

    def handle(self, **_: Any) -> None:  # noqa: ANN401 - Django's signature
        """Do it."""
        with acting_as("platform-manage deliver"):
            links, requests = deliver_links(), deliver()
        told = {"changed": bool(links.sent or requests.sent), "links": links.sent, "requests": requests.sent}
        self.stdout.write(json.dumps(told))
        problems = [delivery.problem for delivery in (links, requests) if delivery.problem]
        if problems:
            raise CommandError(" ".join(problems))
