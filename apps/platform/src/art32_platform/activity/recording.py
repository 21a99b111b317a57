"""Rows of the log that no trigger writes: logins, logouts, refusals, views and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from art32_platform.access import rules
from art32_platform.activity.models import Action, Activity
from art32_platform.client import address

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from art32_platform.accounts.models import Account

__all__ = ["NOT_RECORDED", "connect", "record_export", "record_refusal", "record_view"]

PATH_LENGTH = 300
# Models whose changes are no activity: sessions, counters of the throttle, Django's own registers, the log itself.
NOT_RECORDED = {
    "accounts.session",
    "activity.activity",
    "activity.chained",
    "admin.logentry",
    "auth.group",
    "auth.permission",
    "axes.accessattempt",
    "axes.accessattemptexpiration",
    "axes.accessfailurelog",
    "axes.accesslog",
    "contenttypes.contenttype",
    "sessions.session",
}


def connect() -> None:
    """Listen to Django's signals about logins."""
    user_logged_in.connect(_logged_in)
    user_logged_out.connect(_logged_out)
    user_login_failed.connect(_login_failed)


def record_refusal(request: HttpRequest, record: Model | None = None, *, needs: str) -> None:
    """Write down, once for a request, that somebody logged in was refused."""
    if not request.user.is_authenticated or getattr(request, "refusal_recorded", False):
        return
    request.refusal_recorded = True  # type: ignore[attr-defined] # a note of ours
    Activity.objects.create(
        action=Action.REFUSED,
        account=request.user.email,
        origin=address(request),
        kind=record._meta.label_lower if record else "",  # noqa: SLF001 - Django's documented interface
        record=str(record.pk) if record else "",
        entity=rules.entity_of(record) if record else None,
        detail={"method": request.method, "path": _path(request), "needs": needs},
    )


def record_view(request: HttpRequest, record: Model | None, *, needs: str) -> None:
    """Write down that somebody looked at a record, or at a list of what the permission `needs` is about."""
    Activity.objects.create(action=Action.VIEW, **_about(request, record, needs), detail={"path": _path(request)})


def record_export(request: HttpRequest, record: Model, *, rows: int) -> None:
    """Write down that somebody took out the rows of an entity."""
    detail = {"path": _path(request), "rows": rows}
    Activity.objects.create(action=Action.EXPORT, **_about(request, record, ""), detail=detail)
    request.is_recorded = True  # type: ignore[attr-defined] # a note of ours: it is no view, too


def _about(request: HttpRequest, record: Model | None, needs: str) -> dict[str, Any]:
    app, _, permission = needs.partition(".")
    return {
        "account": request.user.email if request.user.is_authenticated else "",
        "origin": address(request),
        "kind": record._meta.label_lower if record else f"{app}.{permission.partition('_')[2]}",  # noqa: SLF001 - Django's documented interface
        "record": str(record.pk) if record else "",
        "entity": rules.entity_of(record) if record else None,
    }


def _path(request: HttpRequest) -> str:
    return request.path[:PATH_LENGTH]


def _logged_in(request: HttpRequest, user: Account, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    Activity.objects.create(action=Action.LOGIN, account=user.email, origin=address(request))


def _logged_out(request: HttpRequest, user: Account | None, **_: Any) -> None:  # noqa: ANN401 - as above
    if user:
        Activity.objects.create(action=Action.LOGOUT, account=user.email, origin=address(request))


def _login_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:  # noqa: ANN401
    Activity.objects.create(
        action=Action.LOGIN_FAILED,
        account=_if_an_address(str(credentials.get("username") or "")),
        origin=address(request) if request else None,
    )


def _if_an_address(typed: str) -> str:
    """What was typed as the e-mail address; nothing else, for people mistake the field and type their password."""
    try:
        validate_email(typed)
    except ValidationError:
        return ""
    return typed.lower()[:254]
