"""OWASP's ASVS 5.0.0, levels 1 and 2: docs/asvs.md has a row for each requirement, and each test it names exists."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from art32_platform import settings as real
from art32_platform.access.urls import pages
from art32_platform.accounts.models import Account
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Contact, Organisation

from .conftest import ADDRESS, PASSWORD, PROXY, World
from .test_login import login

if TYPE_CHECKING:
    from collections.abc import Callable

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
LEVEL_2 = re.findall(
    r"\S+",
    """
    1.1.1 1.1.2 1.2.6 1.2.7 1.2.8 1.2.9 1.3.3 1.3.4 1.3.5 1.3.6 1.3.7 1.3.8 1.3.9 1.3.10 1.3.11 1.4.1 1.4.2 1.4.3
    1.5.2 2.1.2 2.1.3 2.2.3 2.3.2 2.3.3 2.3.4 2.4.1 3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.5.4 3.5.5 3.7.1
    3.7.2 4.1.2 4.1.3 4.2.1 4.3.1 4.3.2 4.4.2 4.4.3 4.4.4 5.1.1 5.2.3 5.4.1 5.4.2 5.4.3 6.1.2 6.1.3 6.2.9 6.2.10
    6.2.11 6.2.12 6.3.3 6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4
    7.1.1 7.1.2 7.1.3 7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2 8.1.2 8.2.3 8.4.1 9.2.2 9.2.3 9.2.4
    10.1.1 10.1.2 10.2.1 10.2.2 10.3.1 10.3.2 10.3.3 10.3.4 10.4.6 10.4.7 10.4.8 10.4.9 10.4.10 10.4.11 10.5.1
    10.5.2 10.5.3 10.5.4 10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3 11.1.1 11.1.2 11.2.1 11.2.2 11.2.3 11.3.3 11.4.2
    11.4.3 11.4.4 11.5.1 11.6.1 12.1.2 12.1.3 12.3.1 12.3.2 12.3.3 12.3.4 13.1.1 13.2.1 13.2.2 13.2.3 13.2.4 13.2.5
    13.3.1 13.3.2 13.4.2 13.4.3 13.4.4 13.4.5 14.1.1 14.1.2 14.2.2 14.2.3 14.2.4 14.3.2 14.3.3 15.1.2 15.1.3 15.2.2
    15.2.3 15.3.2 15.3.3 15.3.4 15.3.5 15.3.6 15.3.7 16.1.1 16.2.1 16.2.2 16.2.3 16.2.4 16.2.5 16.3.1 16.3.2 16.3.3
    16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3 17.1.1 17.2.1 17.2.2 17.2.3 17.2.4 17.3.1 17.3.2
    """,
)
LEAST_SHARE = 0.95
HOSTILE = "<script>alert(1)</script>'\"--&#x27;{{7*7}}${7*7}\\"
ROW = re.compile(r"^\| ([0-9.]+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def table() -> dict[str, tuple[str, str]]:
    text = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
    rows = {number: (what, proof) for number, what, proof in ROW.findall(text)}
    assert len(rows) == len(ROW.findall(text)), "a row stands twice"
    return rows


def test_every_requirement_has_a_row() -> None:
    assert (len(LEVEL_1), len(LEVEL_2)) == (70, 183)
    assert sorted(table()) == sorted(LEVEL_1 + LEVEL_2)


@pytest.mark.parametrize("number", LEVEL_1 + LEVEL_2)
def test_requirement_has_tests_that_exist_or_a_reason(number: str) -> None:
    proof = table()[number][1]
    named = TEST.findall(proof)
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
    assert named or (len(proof.removeprefix("waived: ")) > 30 and proof.startswith(("waived: ", "does not apply: ")))


def test_nearly_all_of_level_2_that_applies_is_shown_by_tests() -> None:
    applies = [proof for number, (_, proof) in table().items() if number in LEVEL_2 and "does not apply" not in proof]
    shown = [proof for proof in applies if TEST.search(proof) and not proof.startswith("waived")]
    assert len(applies) > 100
    assert len(shown) / len(applies) >= LEAST_SHARE


def test_documentation_says_what_is_configured() -> None:
    """The rows about documentation: each heading is there, and the numbers in it are those of the settings."""
    text = (ROOT / "docs" / "platform.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    said = {
        "Who may do what": [f"`PLATFORM_STAFF_ACCESS_DAYS` ({real.PLATFORM_STAFF_ACCESS_DAYS})"],
        "People": [
            f"`PLATFORM_IDLE_MINUTES` ({real.PLATFORM_IDLE_LIMIT.seconds // 60})",
            f"`PLATFORM_SESSION_HOURS` ({real.PLATFORM_SESSION_LIMIT.seconds // 3600})",
            f"bcrypt over SHA-256 at cost {real.PLATFORM_PASSWORD_COST}",
            "the words of the account, the domain and the provider",
            "They do not expire",
            "as many sessions as one wants",
        ],
        "Guessing": [
            f"{real.AXES_FAILURE_LIMIT} wrong passwords or codes",
            f"{real.PLATFORM_FAILURES_OF_AN_ADDRESS} within 15 minutes",
            f"{real.PLATFORM_GUESSERS_OF_AN_ACCOUNT} addresses",
            f"{real.PLATFORM_HELP_PER_HOUR} an hour",
        ],
        "What may be entered": ["due again after that day"],
        "What is kept, and how": [
            "accounts",
            "contacts",
            "activity log",
            "sessions",
            "authenticators",
            "requests for help",
        ],
        "Keys and algorithms": ["AES-256-GCM", "SHA-256", "bcrypt", "PLATFORM_DATA_KEY", "DJANGO_SECRET_KEY", "TLS"],
        "Logs": ["activity log", "access log", "journal"],
        "What it talks to": ["PostgreSQL", "mail relay", "nothing else"],
        "What costs time": ["bcrypt", "export"],
        "Components": ["requirements.txt"],
    }
    for heading, words in said.items():
        for word in words:
            assert word in " ".join(sections[heading].split()), f"{heading} does not say {word!r}"


def test_what_is_sent_is_decoded_once(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    path = reverse("organisation", args=[world.own.pk])
    assert "Olga Own" in client.get(f"{path}?q=%4Flga").content.decode()
    twice = client.get(f"{path}?q=%254Flga").content.decode()
    assert "Olga Own" not in twice
    assert 'value="%4Flga"' in twice
    assert client.get("/contacts/%252e%252e/").status_code == 404


def test_parameters_in_the_wrong_place_do_nothing(world: World, browser: Callable[..., Client]) -> None:
    right = {"username": "viewer@example.test", "password": PASSWORD}
    assert browser().post(reverse("login", query=right)).status_code == 200
    assert browser().get(reverse("login"), right).status_code == 200
    client = browser(world.people["manager"])
    path = reverse("contact-edit", args=[world.own_contact.pk], query={"name": "By the address"})
    client.post(path, {"name": ["First", "Last"]})
    world.own_contact.refresh_from_db()
    assert world.own_contact.name == "Last", "one of them, and always the same"


def test_form_without_its_token_leaves_a_row(world: World, browser: Callable[..., Client]) -> None:
    client = Client(enforce_csrf_checks=True, **{**PROXY, "HTTP_X_REAL_IP": ADDRESS})
    client.cookies = browser(world.people["manager"]).cookies
    assert client.post(reverse("contact-remove", args=[world.own_contact.pk])).status_code == 403
    row = Activity.objects.latest("id")
    assert (row.action, row.account, row.detail["needs"]) == ("refused", "manager@example.test", "the form's token")


def test_every_page_of_an_account_has_the_way_out(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["administrator"])
    for path in ("/", "/security/", "/password/", "/security/codes/", "/help/", "/admin/", "/nowhere/"):
        page = client.get(path).content.decode()
        assert f'action="{reverse("logout")}"' in page, path


def test_unexpected_error_is_logged_tells_nothing_and_changes_nothing(
    world: World, browser: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("art32_platform.customers.views.messages.success", _fail)
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    client = browser(world.people["manager"])
    client.raise_request_exception = False
    response = client.post(reverse("contact-edit", args=[world.own_contact.pk]), {"name": "Half done"})
    assert response.status_code == 500
    assert b"secret inside" not in response.content
    assert b"Traceback" not in response.content
    assert "secret inside" in caplog.text
    world.own_contact.refresh_from_db()
    assert world.own_contact.name == "Olga Own"


def _fail(*_: object) -> None:
    raise RuntimeError("secret inside")


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
