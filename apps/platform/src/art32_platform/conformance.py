"""What the platform says of itself: how it keeps the promises about people and data.

Its form is controls/conformance.schema.json.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.db.models import FileField
from django.urls import reverse

from art32_platform import DISTRIBUTION, VERSION
from art32_platform.access.attempts import attempts, sessions
from art32_platform.access.urls import pages, without_policy
from art32_platform.accounts.models import Account
from art32_platform.activity.chain import verify
from art32_platform.activity.models import Action, Activity
from art32_platform.activity.privileges import is_append_only
from art32_platform.activity.recording import NOT_RECORDED
from art32_platform.customers.models import Membership, Organisation
from art32_platform.mail import state

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["conformance"]

SCHEMA = 1
AXES = "axes.backends.AxesStandaloneBackend"
COMMON = ("password1234", "qwertyuiop12", "Password2026!!")  # what everybody tries first
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
        "without_policy": without_policy(),
        "attempts": attempts(),
        "activity": {
            "table": Activity._meta.db_table,  # noqa: SLF001 - Django's documented interface
            "columns": [field.column for field in Activity._meta.concrete_fields],  # noqa: SLF001 - as above
            "count": Activity.objects.count(),
            "append_only": is_append_only(connection),
            "actions": sorted(Action.values),
            "unrecorded": sorted(_unrecorded()),
            "chain": _chain(),
        },
        "logins": _logins(),
        "training": list(_training()),
        "staff_access": [
            {"email": email, "organisation": name, "until": until.isoformat() if until else ""}
            for email, name, until in Membership.objects.filter(
                account__is_staff=True, account__is_active=True
            ).values_list("account__email", "organisation__name", "until")
        ],
        "mail": state(),
        "help": {"path": reverse("help"), "address": settings.PLATFORM_HELP_ADDRESS},
        "stores": list(_stores()),
        "members": [
            {
                "email": account.email,
                "staff": account.is_staff,
                "administrator": account.is_administrator,
                "active": account.may_log_in,
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


def _logins() -> dict[str, Any]:
    """How logins are guarded; what refuses passwords is asked, not described."""
    return {
        "second_factor": settings.PLATFORM_SECOND_FACTOR,
        "idle_minutes": int(settings.PLATFORM_IDLE_LIMIT.total_seconds() // 60),
        "hours": int(settings.PLATFORM_SESSION_LIMIT.total_seconds() // 3600),
        "sessions": sessions(),
        "failures": settings.AXES_FAILURE_LIMIT if _throttles() else 0,
        "refused": [word for word in COMMON if not _is_accepted(word)],
        "accepted": [word for word in COMMON if _is_accepted(word)],
    }


def _throttles() -> bool:
    return AXES in settings.AUTHENTICATION_BACKENDS and getattr(settings, "AXES_ENABLED", True)


def _is_accepted(password: str) -> bool:
    try:
        validate_password(password)
    except ValidationError:
        return False
    return True


def _chain() -> dict[str, Any]:
    verdict = verify(connection)
    return {"head": str(verdict.head), "length": verdict.head.number, "problem": verdict.problem}


def _unrecorded() -> Iterator[str]:
    """Tables with data of which changes leave no row, though they are not among those that need none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'record_activity' AND tgenabled = 'A'"
        )
        recorded = {table for (table,) in cursor.fetchall()}
    for model in apps.get_models():
        facts = model._meta  # noqa: SLF001 - Django's documented interface
        if facts.db_table not in recorded and facts.label_lower not in NOT_RECORDED:
            yield facts.db_table


def _training() -> Iterator[dict[str, str]]:
    """What there is to say of each organisation's primary contacts; by keys, not by names."""
    for organisation in Organisation.objects.prefetch_related("contacts__trainings"):
        primary = [contact for contact in organisation.contacts.all() if contact.is_primary]
        if not primary:
            yield {"organisation": organisation.name, "contact": "", "due_on": ""}
        for contact in primary:
            due = max((training.due_on for training in contact.trainings.all()), default=None)
            yield {
                "organisation": organisation.name,
                "contact": str(contact.pk),
                "due_on": due.isoformat() if due else "",
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
