"""The programs beside the service."""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_example.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - Django has to be set up before
from django.core.management import call_command  # noqa: E402

from .models import Activity  # noqa: E402


def migrate() -> None:
    """Make the tables."""
    call_command("migrate", interactive=False)


def member() -> None:
    """Add a member, or change the password: example-member EMAIL [staff], the password on standard input."""
    email, *roles = sys.argv[1:]
    made, _ = get_user_model().objects.get_or_create(username=email, email=email)
    made.is_staff = roles == ["staff"]
    made.set_password(sys.stdin.read().strip())
    made.save()
    Activity.objects.create(who="console", what="insert", target=f"member {email}")
