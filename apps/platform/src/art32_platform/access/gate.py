"""The gate: middleware that stands before every view and lets pass what the URL's policy allows."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed

from art32_platform.access.policies import ACCOUNT, ANYONE, STAFF, Policy, policy_of
from art32_platform.access.rules import may
from art32_platform.activity.attribution import acting_as
from art32_platform.activity.recording import record_refusal, record_view
from art32_platform.client import address

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Model

__all__ = ["Gate", "record_of"]

M = TypeVar("M", bound="Model")
HARMLESS = {"GET", "HEAD"}
SHOWN = 200


class Gate:
    """Checks each request against its URL's policy, attributes what it changes, and writes down what it shows.

    Who may not see a record is told that it does not exist, who may see it but not do this is refused; both leave a
    row in the log. Views take the record from record_of: there is none that was not checked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Stand before the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let the request through; whatever was attributed to it ends with it."""
        with ExitStack() as ends:
            request.gate_ends = ends  # type: ignore[attr-defined] # for process_view, which knows the policy
            response = self.get_response(request)
        need, record = getattr(request, "gate_view", ""), getattr(request, "gate_record", None)
        shows = record is not None or ".view_" in need
        if need and shows and response.status_code == SHOWN and not hasattr(request, "is_recorded"):
            record_view(request, record, needs=need)
        return response

    def process_view(
        self,
        request: HttpRequest,
        _view: Callable[..., HttpResponse],
        _args: tuple[Any, ...],
        parts: dict[str, Any],
    ) -> HttpResponse | None:
        """Answer in the view's place when the policy says no.

        Raises PermissionDenied or Http404, which become the pages of that name.
        """
        policy = policy_of(request.resolver_match.view_name if request.resolver_match else None)
        need = policy.methods.get("GET" if request.method in HARMLESS else request.method or "")
        if need is None:
            return HttpResponseNotAllowed(policy.methods)
        if need != ANYONE and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path() if request.method in HARMLESS else "/")
        _check(request, policy, need, parts)
        if request.method in HARMLESS:
            request.gate_view = need if need not in {ANYONE, ACCOUNT, STAFF} else ""  # type: ignore[attr-defined] # a note of ours
        else:
            who = request.user.email if request.user.is_authenticated else ""
            request.gate_ends.enter_context(acting_as(who, address(request)))  # type: ignore[attr-defined] # set above
        return None


def record_of(request: HttpRequest, model: type[M]) -> M:
    """The record of this model that the gate checked for this request."""
    record = request.gate_record  # type: ignore[attr-defined] # set below
    if not isinstance(record, model):
        raise TypeError(f"The policy of {request.path} is about {record!r}, not about a {model.__name__}.")
    return record


def _check(request: HttpRequest, policy: Policy, need: str, parts: dict[str, Any]) -> None:
    if policy.staff and not request.user.is_staff:
        record_refusal(request, needs=STAFF)
        raise PermissionDenied
    try:
        record = policy.record_at(parts)
    except ObjectDoesNotExist as error:
        raise Http404 from error
    request.gate_record = record  # type: ignore[attr-defined] # a note of ours
    if need in {ANYONE, ACCOUNT, STAFF} or may(request.user, need, record):
        return
    record_refusal(request, record, needs=need)
    if record is not None and not may(request.user, _to_see(record), record):
        raise Http404
    raise PermissionDenied


def _to_see(record: Model) -> str:
    return f"{record._meta.app_label}.view_{record._meta.model_name}"  # noqa: SLF001 - Django's documented interface
