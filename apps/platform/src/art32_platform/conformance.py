"""What the platform says of itself: how it keeps the promises about people and data.

Its form is controls/conformance.schema.json.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.db import connection, connections
from django.db.models import FileField
from django.urls import reverse

from art32_platform import DISTRIBUTION, VERSION
from art32_platform.access.urls import pages
from art32_platform.accounts.models import Account
from art32_platform.activity.models import Activity
from art32_platform.activity.privileges import is_append_only

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["conformance"]

SCHEMA = 1
IN_MEMORY = {"django.core.cache.backends.locmem.LocMemCache", "django.core.cache.backends.dummy.DummyCache"}


def conformance() -> dict[str, Any]:
    """Everything, from the running configuration and the database as they are now."""
    return {
        "schema": SCHEMA,
        "application": {"name": DISTRIBUTION, "version": VERSION},
        "passwords": _passwords(),
        "urls": [
            {
                "pattern": page.pattern,
                "name": page.name,
                "methods": list(page.policy.methods),
                "policy": str(page.policy),
                "login": page.policy.needs_login,
                "permissions": dict(page.policy.methods),
                "record": page.policy.record is not None,
                "admin": page.admin,
            }
            for page in pages()
        ],
        "activity": {
            "table": Activity._meta.db_table,  # noqa: SLF001 - Django's documented interface
            "columns": [field.column for field in Activity._meta.concrete_fields],  # noqa: SLF001 - as above
            "count": Activity.objects.count(),
            "append_only": is_append_only(connection),
        },
        "help": {"path": reverse("help"), "address": settings.PLATFORM_HELP_ADDRESS},
        "stores": list(_stores()),
        "members": [
            {
                "email": account.email,
                "staff": account.is_staff,
                "administrator": account.is_administrator,
                "active": account.is_active,
            }
            for account in Account.objects.all()
        ],
    }


def _passwords() -> dict[str, Any]:
    hasher = get_hasher()
    hashes: Counter[str] = Counter()
    unusable = 0
    for encoded in Account.objects.values_list("password", flat=True):
        if is_password_usable(encoded):
            hashes[_kind(encoded)] += 1
        else:
            unusable += 1
    return {
        "hasher": hasher.algorithm,
        "minimum_cost": getattr(hasher, "rounds", 0),
        "hashes": dict(sorted(hashes.items())),
        "total": hashes.total(),
        "unusable": unusable,
    }


def _kind(encoded: str) -> str:
    """Algorithm and cost of a stored hash, as `bcrypt_sha256:12`; `unknown:0` for what no hasher of ours made."""
    try:
        facts = identify_hasher(encoded).decode(encoded)
        return f"{facts['algorithm']}:{facts['work_factor']}"
    except (ValueError, KeyError):
        return "unknown:0"


def _stores() -> Iterator[dict[str, str]]:
    """Everywhere that data stays: databases, caches outside the process, uploaded files."""
    for database in connections.all():
        with database.cursor() as cursor:  # connected: libpq knows where, whatever told it
            info = cursor.connection.info
        yield {"kind": database.vendor, "database": info.dbname, "host": info.host}
    for cache in settings.CACHES.values():
        if cache["BACKEND"] not in IN_MEMORY:
            yield {"kind": "cache", "database": cache["BACKEND"], "host": str(cache.get("LOCATION", ""))}
    if any(isinstance(field, FileField) for model in apps.get_models() for field in model._meta.get_fields()):  # noqa: SLF001
        yield {"kind": "files", "database": str(settings.MEDIA_ROOT), "host": ""}
