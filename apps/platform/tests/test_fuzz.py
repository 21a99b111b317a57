"""Whatever is sent to whatever address: no error of the server, and nothing foreign is read or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from art32_platform.access.urls import pages
from art32_platform.customers.models import Contact, Membership, Organisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from .conftest import World

FIELDS = (
    *("name", "position", "email", "phone", "is_primary", "organisation", "account", "role", "until", "address"),
    *("topic", "trained_on", "due_on", "code", "password", "username", "next", "q", "page", "action", "session"),
    *(
        "new_password1",
        "new_password2",
        "old_password",
        "message",
        "_selected_action",
        "post",
        "select_across",
        "index",
    ),
    *(
        "o",
        "p",
        "all",
        "e",
        "_popup",
        "_to_field",
        "is_active__exact",
        "role__exact",
        "organisation__id__exact",
        "answered",
    ),
)
COOKIE = "__Host-session"
PEOPLE = ("outsider", "viewer", "editor", "manager", "staff", "staff-manager", "administrator")
WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["", "\0", "-1", "0", "9" * 40, "1e9", "'", "%00", "../..", "2026-02-30", "delete_selected", "=1+1"]
    ),
)


def values(world: World) -> st.SearchStrategy[str]:
    keys = [world.own.pk, world.foreign.pk, world.own_contact.pk, world.foreign_contact.pk]
    numbers = Membership.objects.values_list("pk", flat=True)
    return st.one_of(WORDS, st.sampled_from([str(key) for key in (*keys, *numbers)]))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_that_is_sent_breaks_it_or_reaches_foreign_records(
    world: World, browser: Callable[..., Client], method: str
) -> None:
    clients = {person: browser(world.people[person]) for person in PEOPLE}
    clients[""] = browser()
    sessions = {person: client.cookies.get(COOKIE) for person, client in clients.items()}
    foreign = Contact.objects.filter(organisation=world.foreign).values()
    before = list(foreign), list(Organisation.objects.filter(pk=world.foreign.pk).values())

    @settings(
        max_examples=400,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        page=st.sampled_from(pages()),
        person=st.sampled_from(sorted(clients)),
        part=values(world),
        data=st.dictionaries(st.sampled_from(FIELDS), values(world), max_size=6),
    )
    def send(page: object, person: str, part: str, data: dict[str, str]) -> None:
        pattern = page.pattern  # type: ignore[attr-defined] # a Page
        path = "/".join(quote(part, safe="") or "x" if "<" in piece else piece for piece in pattern.split("/"))
        if sessions[person]:  # as if nobody had logged out before
            clients[person].cookies[COOKIE] = sessions[person].value
        with transaction.atomic():
            response = getattr(clients[person], method.lower())(path, data)
            if person not in {"outsider", "administrator"}:  # who may do something there
                now = list(foreign.all()), list(Organisation.objects.filter(pk=world.foreign.pk).values())
                assert now == before, f"{person} changed something foreign by {method} {path} {data}"
                if "text/html" in response.headers.get("Content-Type", ""):
                    assert "Fabrice Foreign" not in response.content.decode(), f"{person} reads {path}"
            transaction.set_rollback(True)
        assert response.status_code < 500, f"{response.status_code}: {method} {path} {data}"

    send()
