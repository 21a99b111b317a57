"""The console script `platform-manage`."""

import os
import sys

from django.core.management import execute_from_command_line

__all__ = ["main"]


def main() -> None:
    """Run one of Django's or the platform's management commands."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "art32_platform.settings")
    execute_from_command_line(sys.argv)
