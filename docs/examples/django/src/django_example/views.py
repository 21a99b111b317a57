"""Views; each says who may use it, and what is said is enforced."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from .models import Activity, Help, Note

View = Callable[..., HttpResponse]
FORM = '<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'


def policy(
    words: str, *methods: str, login: bool = False, admin: bool = False, record: bool = False
) -> Callable[[View], View]:
    """Say who may use a view and by which methods, and see to it."""

    def mark(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, **parts: Any) -> HttpResponse:
            if login and not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if admin and not request.user.is_staff:
                raise PermissionDenied
            return view(request, **parts)

        required = require_http_methods(["HEAD", *methods])(checked)
        required.policy = {
            "policy": words,
            "methods": list(methods),
            "login": login,
            "admin": admin,
            "record": record,
        }
        return required

    return mark


@policy("everybody", "GET")
def health(request: HttpRequest) -> HttpResponse:
    get_user_model().objects.exists()
    return JsonResponse({"status": "ok"})


@policy("the member whose note it is", "GET", login=True, record=True)
def note(request: HttpRequest, number: int) -> HttpResponse:
    return JsonResponse({"content": get_object_or_404(Note, pk=number, member=request.user).content})


@policy("members", "POST", login=True)
def write(request: HttpRequest) -> HttpResponse:
    made = Note.objects.create(member=request.user, content=request.POST["content"])
    Activity.objects.create(who=request.user.get_username(), what="insert", target=f"note {made.pk}")
    return JsonResponse({"number": made.pk})


@policy("staff", "GET", login=True, admin=True)
def members(request: HttpRequest) -> HttpResponse:
    found = get_user_model().objects.values("username", "is_staff", "is_active")
    return JsonResponse({"members": list(found)})


@policy("everybody", "GET", "POST")
def help_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        asked = Help.objects.create(email=request.POST["email"], content=request.POST["content"])
        if settings.HELP_ADDRESS:
            send_mail("Request for help", f"{asked.email}\n{asked.content}", None, [settings.HELP_ADDRESS])
        return HttpResponse("We have your question.")
    fields = 'Your address <input name="email"> Question <textarea name="content"></textarea><button>Ask</button>'
    return HttpResponse(f"{FORM.format(get_token(request))}{fields}</form>")
