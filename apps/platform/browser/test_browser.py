"""The platform in a real browser: a second factor, work, refusals, help, the log; on a phone and without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .conftest import PASSWORD, code_of, follow, inspect, log_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from .conftest import Site

    Visit = Callable[..., Page]

CONTACT = {"Name": "Ada Lovelace", "Position": "Data protection", "E-mail address": "ada@customer.example"}
# The administration is Django's own, made for desks; its pages scroll their tables themselves.
ADMIN = ("", "accounts/account/", "customers/membership/add/", "activity/activity/", "helpdesk/helprequest/")


@pytest.fixture(scope="session")
def keys() -> dict[str, str]:
    """The authenticator of each person who has one, as shown once."""
    return {}


def enter(page: Page, keys: dict[str, str], person: str) -> None:
    """Log in with a second factor, setting it up the first time."""
    log_in(page, person)
    page.wait_for_url("**/login/code/")
    shown = page.locator("code.key")
    if shown.count():
        keys[person] = shown.inner_text()
    first = shown.count() == 1
    page.get_by_label("Code", exact=True).fill(code_of(keys[person], later=0 if first else 1))
    follow(page.get_by_role("button", name="Log in", exact=True))
    if first:
        keys[f"backup code of {person}"] = page.locator(".codes code").first.inner_text()
        inspect(page, "backup-codes-desk")
        follow(page.get_by_role("link", name="I have kept them"))
    expect(page.get_by_role("heading", name="Organisations")).to_be_visible()


def organisation(page: Page) -> None:
    follow(page.get_by_role("link", name="Customer GmbH"))


def fill(page: Page, values: dict[str, str]) -> None:
    for label, value in values.items():
        page.locator("main").get_by_label(label).fill(value)


def test_administrator_logs_in_with_a_second_factor(visit: Visit, keys: dict[str, str]) -> None:
    page = visit()
    inspect(page, "login-desk")
    log_in(page, "administrator")
    expect(page).to_have_url(re.compile(r"/login/code/$"))
    inspect(page, "second-factor-set-up-desk")
    page.goto("/admin/")
    expect(page, "the password alone opens nothing").to_have_url(re.compile("/login/"))
    enter(page, keys, "administrator")
    follow(page.get_by_role("link", name="Administration"))
    expect(page.get_by_role("heading", name="Administration").first).to_be_visible()
    for part in ADMIN:
        page.goto(f"/admin/{part}")
        inspect(page, f"admin-{part.strip('/').replace('/', '-') or 'index'}-desk")
    page.goto("/")
    follow(page.get_by_role("button", name="Log out"))
    log_in(page, "administrator")
    page.wait_for_url("**/login/code/")
    expect(page.locator("code.key")).to_have_count(0)  # it is shown once
    inspect(page, "code-desk")
    page.get_by_label("Code", exact=True).fill("000000")
    follow(page.get_by_role("button", name="Log in", exact=True))
    expect(page.get_by_text("This code is not right").first).to_be_visible()
    page.get_by_text("Use a backup code instead").click()
    page.get_by_label("Backup code").fill("not one")
    follow(page.get_by_role("button", name="Log in with it"))
    expect(page.get_by_text("A backup code has 24 letters and digits.").first).to_be_visible()
    inspect(page, "backup-code-refused-desk")
    page.get_by_label("Backup code").fill(keys["backup code of administrator"])
    follow(page.get_by_role("button", name="Log in with it"))
    expect(page.get_by_text("You used a backup code; 9 are left.").first).to_be_visible()
    inspect(page, "backup-code-used-desk")
    follow(page.get_by_role("link", name="New backup codes"))
    page.set_viewport_size({"width": 375, "height": 780})
    inspect(page, "backup-codes-phone")
    page.get_by_label("Your password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Make new codes"))
    expect(page.locator(".codes code")).to_have_count(10)
    inspect(page, "backup-codes-new-phone")


def test_member_works_is_refused_and_the_manager_reads_it(visit: Visit, tmp_path: Path) -> None:
    manager = visit("manager")
    inspect(manager, "organisations-desk")
    organisation(manager)
    follow(manager.get_by_role("link", name="New contact"))
    inspect(manager, "contact-new-desk")
    fill(manager, CONTACT)
    follow(manager.get_by_role("button", name="Save"))
    expect(manager.get_by_role("heading", name="Ada Lovelace").first).to_be_visible()
    inspect(manager, "contact-desk")
    contact = manager.url

    viewer = visit("viewer", path=contact)
    expect(viewer.get_by_text("ada@customer.example").first).to_be_visible()
    expect(viewer.get_by_role("link", name="Edit")).to_have_count(0)
    assert viewer.goto(contact + "edit/").status == 403
    inspect(viewer, "refused-desk")
    outsider = visit("outsider", path=contact)
    expect(outsider.get_by_role("heading", name="Page not found").first).to_be_visible()
    assert "Ada" not in outsider.content()

    manager.goto("/")
    organisation(manager)
    inspect(manager, "contacts-desk")
    with manager.expect_download() as download:
        manager.get_by_role("link", name="Export").click()
    download.value.save_as(tmp_path / "contacts.csv")
    assert "Ada Lovelace" in (tmp_path / "contacts.csv").read_text()
    follow(manager.get_by_role("link", name="Activity"))
    inspect(manager, "activity-desk")
    rows = manager.locator("tbody tr").all_inner_texts()
    for who, what in (
        ("manager", "insert"),
        ("manager", "view"),
        ("manager", "export"),
        ("viewer", "refused"),
        ("outsider", "refused"),
    ):
        assert any(f"{who}@example.test" in row and what in row for row in rows), (who, what)
    manager.get_by_label("What to show").select_option("refused")
    follow(manager.get_by_role("button", name="Show"))
    assert all("refused" in row for row in manager.locator("tbody tr").all_inner_texts())


def test_manager_invites_and_the_invited_gets_in(visit: Visit, site: Site) -> None:
    manager = visit("manager")
    organisation(manager)
    follow(manager.get_by_role("link", name="People"))
    follow(manager.get_by_role("link", name="Invite somebody"))
    inspect(manager, "invite-desk")
    fill(manager, {"E-mail address": "grace@customer.example", "Name": "Grace Hopper"})
    follow(manager.get_by_role("button", name="Save"))
    inspect(manager, "people-desk")
    mail = site.mailbox.to("grace@customer.example", holding="/link/")
    path = re.search(r"https://localhost(/link/\S+)", mail)
    assert path
    guest = visit(path=path[1])
    expect(guest, "the token does not stay in the address").to_have_url(re.compile("/link/$"))
    inspect(guest, "link-desk")
    for weak in ("short", "Password2026!!"):
        guest.get_by_label("New password", exact=True).fill(weak)
        guest.get_by_label("New password confirmation").fill(weak)
        follow(guest.get_by_role("button", name="Set password"))
        expect(guest.locator(".errorlist").first).to_be_visible()
    inspect(guest, "link-refused-desk")
    guest.get_by_label("New password", exact=True).fill(PASSWORD)
    guest.get_by_label("New password confirmation").fill(PASSWORD)
    follow(guest.get_by_role("button", name="Set password"))
    log_in(guest, "grace@customer.example")
    organisation(guest)
    again = visit(path=path[1])
    expect(again.get_by_role("heading", name="This link has ended").first).to_be_visible()
    inspect(again, "link-ended-desk")


def test_help_reaches_the_team_without_an_account(visit: Visit, site: Site) -> None:
    page = visit(path="/login/")
    page.get_by_text("Need help?").click()
    page.get_by_label("Your e-mail address").fill("somebody@customer.example")
    page.get_by_label("How can we help?").fill("I cannot log in.")
    follow(page.get_by_role("button", name="Send to the team"))
    reference = page.locator(".reference").inner_text()
    inspect(page, "help-sent-desk")
    mail = site.mailbox.to("team@provider.example", holding=reference)
    assert "I cannot log in." in mail
    assert "somebody@customer.example" in mail


def test_sessions_are_listed_and_ended(visit: Visit) -> None:
    here, there = visit("viewer"), visit("viewer")
    follow(here.get_by_role("link", name="Viewer"))
    inspect(here, "security-desk")
    follow(here.get_by_role("button", name="Log out everywhere else"))
    there.goto("/")
    expect(there).to_have_url(re.compile("/login/"))
    here.goto("/")
    expect(here.get_by_role("heading", name="Organisations")).to_be_visible()


def test_whole_work_without_javascript(visit: Visit) -> None:
    page = visit("manager", scripts=False)
    organisation(page)
    follow(page.get_by_role("link", name="New contact"))
    fill(page, {"Name": "No Script"})
    page.locator("main").get_by_label("Primary contact").check()
    follow(page.get_by_role("button", name="Save"))
    follow(page.get_by_role("link", name="Enter a training"))
    fill(page, {"Topic": "How to instruct us", "Day of the training": "2026-02-01"})
    follow(page.get_by_role("button", name="Save"))
    expect(page.get_by_text("due again 2027-02-01").first).to_be_visible()
    follow(page.get_by_role("link", name="Edit"))
    fill(page, {"Position": "Nobody's"})
    follow(page.get_by_role("button", name="Save"))
    expect(page.get_by_text("Nobody's").first).to_be_visible()
    follow(page.get_by_role("link", name="Remove"))
    follow(page.get_by_role("button", name="Remove"))
    expect(page.get_by_text("No Script is removed.").first).to_be_visible()
    page.get_by_text("Need help?").click()
    page.get_by_label("How can we help?").fill("Without scripts.")
    follow(page.get_by_role("button", name="Send to the team"))
    expect(page.locator(".reference").first).to_be_visible()
    follow(page.get_by_role("button", name="Log out"))
    expect(page).to_have_url(re.compile("/login/"))


@pytest.mark.parametrize("path", ["/login/", "/password/reset/", "/help/", "/privacy/", "/nowhere/"])
def test_page_for_everybody_fits_a_phone(visit: Visit, path: str) -> None:
    page = visit(size="phone", path=path)
    inspect(page, f"{path.strip('/').replace('/', '-')}-phone")


def test_pages_of_members_fit_a_phone(visit: Visit) -> None:
    page = visit("manager", size="phone")
    inspect(page, "organisations-phone")
    organisation(page)
    inspect(page, "contacts-phone")
    for name in ("People", "Activity", "Contacts"):
        follow(page.get_by_role("navigation").get_by_role("link", name=name))
        inspect(page, f"{name.lower()}-phone")
    follow(page.get_by_role("link", name="Paula Primary"))
    inspect(page, "contact-phone")
    for name in ("Enter a training", "Edit", "Remove"):
        follow(page.get_by_role("link", name=name))
        inspect(page, f"{name.split()[0].lower()}-phone")
        page.go_back()
    for path in ("/security/", "/security/authenticator/", "/password/"):
        page.goto(path)
        inspect(page, f"{path.strip('/').replace('/', '-')}-phone")


def test_keyboard_alone_is_enough_to_log_in(visit: Visit) -> None:
    page = visit(path="/login/")
    expect(page.get_by_label("E-mail address").first).to_be_focused()  # by the page itself, before a key is pressed
    page.keyboard.type("viewer@example.test")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Organisations")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")


def test_dark_colours_have_contrast(visit: Visit) -> None:
    page = visit("manager")
    page.emulate_media(color_scheme="dark")
    organisation(page)
    inspect(page, "contacts-dark-desk")
    follow(page.get_by_role("link", name="Activity"))
    inspect(page, "activity-dark-desk")
    page.set_viewport_size({"width": 375, "height": 780})
    for path in ("/", "/security/", "/security/authenticator/", "/help/"):
        page.goto(path)
        inspect(page, f"{path.strip('/').replace('/', '-') or 'organisations'}-dark-phone")
