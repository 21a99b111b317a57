"""Asking for help: from every page, stored, mailed, with a reference."""

from __future__ import annotations

import re
import smtplib
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.core import mail

from art32_platform.helpdesk.models import HelpRequest

from .conftest import ADDRESS, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django import DjangoCaptureOnCommitCallbacks
    from pytest_django.fixtures import SettingsWrapper

QUESTION = {"email": "ada@customer.example", "message": "Where is the list?\nThank you", "page": "/login/"}


@pytest.fixture
def ask(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Callable[..., HttpResponse]:
    def send(client: Client, **data: str) -> HttpResponse:
        with django_capture_on_commit_callbacks(execute=True):
            return client.post("/help/", {**QUESTION, **data})

    return send


def test_anybody_reaches_the_team(db: None, browser: Callable[..., Client], ask: Callable[..., HttpResponse]) -> None:
    response = ask(browser())
    request = HelpRequest.objects.get()
    assert (request.email, request.origin, request.page, request.account) == (
        "ada@customer.example",
        ADDRESS,
        "/login/",
        "",
    )
    assert request.mailed_at
    assert response.headers["Location"] == f"/help/sent/{request.reference}/"
    assert request.reference in browser().get(response.headers["Location"]).content.decode()
    (sent,) = mail.outbox
    assert (sent.to, sent.reply_to) == (["team@provider.example"], ["ada@customer.example"])
    assert request.reference in sent.subject
    assert "Where is the list?" in sent.body


def test_who_is_logged_in_need_not_say_who(
    world: World,
    browser: Callable[..., Client],
    ask: Callable[..., HttpResponse],
) -> None:
    ask(browser(world.people["viewer"]), email="forged@example.test")
    request = HelpRequest.objects.get()
    assert (request.email, request.account) == ("viewer@example.test", "viewer@example.test")


def test_nothing_is_lost_while_the_relay_is_down(
    db: None,
    browser: Callable[..., Client],
    ask: Callable[..., HttpResponse],
) -> None:
    with patch(
        "django.core.mail.backends.locmem.EmailBackend.send_messages", side_effect=smtplib.SMTPException("down")
    ):
        assert ask(browser()).status_code == 302
    assert HelpRequest.objects.get().mailed_at is None
    ask(browser(), message="Second")
    assert len(mail.outbox) == 2
    assert not HelpRequest.objects.filter(mailed_at=None).exists()


def test_form_is_on_every_page(world: World, browser: Callable[..., Client]) -> None:
    anonymous, staff = browser(), browser(world.people["staff-manager"])
    contact, organisation = world.own_contact.pk, world.own.pk
    for client, path in [
        *((anonymous, path) for path in ("/login/", "/privacy/", "/nowhere/", "/help/")),
        *((staff, path) for path in ("/", "/password/", f"/contacts/{contact}/", f"/contacts/{contact}/remove/")),
        *((staff, f"/organisations/{organisation}/{part}") for part in ("", "edit/", "activity/", "contacts/add/")),
        *((staff, f"/admin/{part}") for part in ("", "customers/contact/", "accounts/account/")),
        (staff, f"/admin/customers/contact/{contact}/change/"),
    ]:
        page = client.get(path).content.decode()
        assert re.search(r'<textarea name="message"', page), path
        assert "csrfmiddlewaretoken" in page, path


@pytest.mark.parametrize(
    "wrong",
    [{"email": "nobody"}, {"email": "a@b.example\nBcc: x@y.example"}, {"message": ""}, {"message": "x" * 4001}],
)
def test_wrong_input_is_explained(
    db: None,
    browser: Callable[..., Client],
    ask: Callable[..., HttpResponse],
    wrong: dict[str, str],
) -> None:
    response = ask(browser(), **wrong)
    assert response.status_code == 200
    assert b"errorlist" in response.content
    assert not HelpRequest.objects.exists()


def test_flood_from_one_address_is_stopped(
    db: None,
    browser: Callable[..., Client],
    ask: Callable[..., HttpResponse],
    settings: SettingsWrapper,
) -> None:
    settings.PLATFORM_HELP_PER_HOUR = 2
    assert [ask(browser()).status_code for _ in range(3)] == [302, 302, 429]
    assert ask(browser(address="198.51.100.8")).status_code == 302
