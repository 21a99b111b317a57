"""OWASP's ASVS 5.0.0, level 1: docs/asvs.md has a row for each requirement, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import get_template
from django.urls import reverse

from art32_platform import settings as real
from art32_platform.access.urls import pages
from art32_platform.accounts.models import Account
from art32_platform.customers.models import Contact, Organisation

from .conftest import PASSWORD, World
from .test_login import login

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

ROOT = Path(__file__).parents[3]
LEVEL_1 = re.findall(
    r"\S+",
    """
    1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.5.1 2.1.1 2.2.1 2.2.2 2.3.1 3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1
    3.5.2 3.5.3 4.1.1 4.4.1 5.2.1 5.2.2 5.3.1 5.3.2 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1
    6.3.2 6.4.1 6.4.2 7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1 10.4.1
    10.4.2 10.4.3 10.4.4 10.4.5 11.3.1 11.3.2 11.4.1 12.1.1 12.2.1 12.2.2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1
    15.3.1
    """,
)
HOSTILE = "<script>alert(1)</script>'\"--&#x27;{{7*7}}${7*7}\\"
ROW = re.compile(r"^\| ([0-9.]+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def table() -> dict[str, tuple[str, str]]:
    text = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
    rows = {number: (what, proof) for number, what, proof in ROW.findall(text)}
    assert len(rows) == len(ROW.findall(text)), "a row stands twice"
    return rows


def test_every_requirement_has_a_row() -> None:
    assert len(LEVEL_1) == 70
    assert sorted(table()) == sorted(LEVEL_1)


@pytest.mark.parametrize("number", LEVEL_1)
def test_requirement_has_tests_that_exist_or_a_reason(number: str) -> None:
    proof = table()[number][1]
    named = TEST.findall(proof)
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
    assert named or (len(proof.removeprefix("waived: ")) > 30 and proof.startswith(("waived: ", "does not apply: ")))


def test_text_of_people_stays_text(world: World, browser: Callable[..., Client]) -> None:
    contact = Contact.objects.create(organisation=world.own, name=HOSTILE, position=HOSTILE)
    Organisation.objects.filter(pk=world.own.pk).update(name=HOSTILE, address=HOSTILE)
    Account.objects.filter(email="manager@example.test").update(name=HOSTILE)
    client = browser(world.people["manager"])
    for path in (
        "/",
        "/security/",
        reverse("organisation", args=[world.own.pk]),
        reverse("organisation-people", args=[world.own.pk]),
        reverse("organisation", args=[world.own.pk]) + "?q=" + "%3Cscript%3E",
        reverse("contact", args=[contact.pk]),
        reverse("contact-edit", args=[contact.pk]),
        reverse("contact-remove", args=[contact.pk]),
        "/nowhere/%3Cscript%3E/",
        "/login/?next=%22%3E%3Cscript%3E",
    ):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "49" not in re.sub(r"[\w-]*49[\w-]*", "", page)
    assert "&lt;script&gt;alert(1)" in client.get("/").content.decode()


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "data:text/html,x"]
)
def test_login_leads_nowhere_else(world: World, browser: Callable[..., Client], target: str) -> None:
    data = {"username": "viewer@example.test", "password": PASSWORD, "next": target}
    assert browser().post(reverse("login"), data).headers["Location"] == "/"


@pytest.mark.parametrize("query", ["' OR 1=1 --", "%'; DROP TABLE customers_contact; --", "\\", "x' UNION SELECT 1 --"])
def test_search_is_no_statement(world: World, browser: Callable[..., Client], query: str) -> None:
    client = browser(world.people["manager"])
    page = client.get(reverse("organisation", args=[world.own.pk]), {"q": query}).content.decode()
    assert "Olga Own" not in page
    assert Contact.objects.count() == 2


def test_nothing_that_is_sent_is_run_or_parsed_as_more_than_a_form() -> None:
    dangerous = re.compile(r"\b(eval|exec|compile|pickle|marshal|subprocess|os\.system|yaml|xml|lxml|mark_safe)\b[.(]")
    for path in (ROOT / "apps/platform/src").rglob("*.py"):
        found = dangerous.findall(path.read_text(encoding="utf-8").replace("re.compile(", ""))
        assert not found, f"{path}: {found}"


def test_only_the_picture_of_a_key_is_put_into_a_page_unescaped() -> None:
    unescaped = []
    for path in (ROOT / "apps/platform/src/art32_platform/templates").rglob("*.html"):
        unescaped += re.findall(r"{{\s*([\w.]+)[^}]*\|\s*safe\b|{%\s*autoescape off", path.read_text(encoding="utf-8"))
    assert sorted(unescaped) == ["field.help_text", "picture"]


def test_steps_of_a_login_cannot_be_skipped(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    for path in ("/login/code/", "/link/"):
        assert client.post(path, {"code": "000000", "new_password1": "x"}).status_code in {302, 410}
    assert client.get("/").status_code == 302


def test_no_other_site_is_allowed_to_read_answers(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["viewer"])
    for path in ("/", "/login/", "/static/platform/platform.css", "/healthz"):
        headers = client.get(path, HTTP_ORIGIN="https://evil.example").headers
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_answers_say_what_they_are(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/nowhere/", "text/html; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/static/platform/platform.css", 'text/css; charset="utf-8"'),
        (reverse("organisation-export", args=[world.own.pk]), "text/csv; charset=utf-8"),
    ):
        assert client.get(path).headers["Content-Type"] == kind


def test_files_are_taken_from_nobody(world: World, browser: Callable[..., Client]) -> None:
    file = SimpleUploadedFile("x.svg", b"<svg onload=alert(1)>" * 1000)
    client = browser(world.people["manager"])
    path = reverse("contact-edit", args=[world.own_contact.pk])
    response = client.post(path, {"name": "Olga Own", "file": file})
    assert response.status_code == 302
    assert not response.wsgi_request.FILES
    assert real.FILE_UPLOAD_HANDLERS == []


def test_password_fields_are_masked_and_take_what_is_pasted(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["viewer"])
    for path, page in (("/login/", browser().get("/login/")), ("/password/", client.get("/password/"))):
        fields = re.findall(r'<input[^>]*name="[^"]*password[^"]*"[^>]*>', page.content.decode())
        assert fields, path
        for field in fields:
            assert 'type="password"' in field
            assert re.search(r'autocomplete="(current|new)-password"', field)
            assert "onpaste" not in field
            assert "maxlength" not in field


def test_password_change_asks_for_the_old_one(world: World, browser: Callable[..., Client]) -> None:
    new = "another long enough phrase"
    for old, status in (("wrong", 200), ("", 200), (PASSWORD, 302)):
        data = {"old_password": old, "new_password1": new, "new_password2": new}
        assert browser(world.people["viewer"]).post(reverse("password"), data).status_code == status
    assert login(browser(), "viewer@example.test", new).status_code == 302


def test_no_account_is_there_by_default(db: None) -> None:
    assert not Account.objects.exists()


def test_session_tokens_are_long_random_and_the_servers_own(world: World, browser: Callable[..., Client]) -> None:
    keys = set()
    for _ in range(50):
        client = browser()
        client.cookies["__Host-session"] = "chosen-by-the-client-0123456789ab"
        login(client, "viewer@example.test", PASSWORD)
        keys.add(client.cookies["__Host-session"].value)
    assert len(keys) == 50
    assert all(re.fullmatch(r"[a-z0-9]{32}", key) for key in keys)  # 36 ** 32, 165 bits


def test_forged_session_opens_nothing(world: World, browser: Callable[..., Client]) -> None:
    for value in ("", "x", "0" * 32, "../../etc/passwd", "a" * 5000):
        client = browser()
        client.cookies["__Host-session"] = value
        assert client.get("/").status_code == 302


def test_logout_clears_what_the_browser_holds(world: World, browser: Callable[..., Client]) -> None:
    response = browser(world.people["viewer"]).post(reverse("logout"))
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert browser(world.people["viewer"]).get("/").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/.git/config", "/.env", "/static/../settings.py", "/static/", "/requirements.txt"])
def test_nothing_of_the_source_is_served(db: None, browser: Callable[..., Client], path: str) -> None:
    assert browser().get(path).status_code == 404


def test_no_secret_travels_in_an_address(world: World) -> None:
    carries_a_token = [page.pattern for page in pages() if "token" in page.pattern]
    assert carries_a_token == ["/link/<slug:token>/"]  # mailed, works once, and is left at once for /link/
    for name in ("accounts/login.html", "accounts/link_password.html", "accounts/code.html"):
        source = Path(str(get_template(name).origin)).read_text(encoding="utf-8")
        assert 'method="get"' not in source


def test_debugging_is_off_and_errors_tell_nothing(world: World, browser: Callable[..., Client]) -> None:
    assert real.DEBUG is False
    client = browser(world.people["viewer"])
    client.raise_request_exception = False
    page = client.get("/nowhere/").content.decode()
    assert not re.search(r"Traceback|Django|art32_platform|urlpatterns", page)
