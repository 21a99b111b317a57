"""What this application says of itself: it asks its own router and its own database."""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import get_hasher, identify_hasher

from . import manage  # noqa: F401 - sets Django up
from .models import Activity
from .urls import urlpatterns


def main() -> None:
    """Print it."""
    members = list(get_user_model().objects.order_by("username"))
    usable = [member.password for member in members if member.has_usable_password()]
    kinds = Counter(kind(password) for password in usable)
    hasher, database = get_hasher(), settings.DATABASES["default"]
    told = {
        "schema": 1,
        "application": {"name": "django-example", "version": version("django-example")},
        "passwords": {
            "hasher": hasher.algorithm,
            "minimum_cost": hasher.rounds,
            "hashes": dict(kinds),
            "total": len(usable),
            "unusable": len(members) - len(usable),
        },
        # LoginView and the like have to be wrapped in a policy too, or this fails: no address is forgotten.
        "urls": [{"pattern": f"/{one.pattern}", **one.callback.policy} for one in urlpatterns],
        "activity": {
            "table": Activity._meta.db_table,
            "columns": [field.name for field in Activity._meta.fields],
            "count": Activity.objects.count(),
            "append_only": True,
        },
        "help": {"path": "/help/", "address": settings.HELP_ADDRESS},
        "stores": [{"kind": "postgresql", "database": database["NAME"], "host": database["HOST"]}],
        "members": [
            {"email": one.email, "staff": one.is_staff, "administrator": one.is_superuser, "active": one.is_active}
            for one in members
        ],
    }
    json.dump(told, sys.stdout)


def kind(password: str) -> str:
    """A stored hash's algorithm and cost."""
    found: dict[str, Any] = identify_hasher(password).decode(password)
    return f"{found['algorithm']}:{found.get('work_factor', 0)}"
