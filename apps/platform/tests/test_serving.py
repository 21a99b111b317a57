"""How it is served: headers, cookies, forms, health, and what it refuses to start without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from .conftest import PROXY, World

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).parents[1] / "src"


@pytest.mark.parametrize("path", ["/login/", "/nowhere/", "/healthz", "/admin/", "/static/platform/platform.css"])
def test_headers(db: None, browser: Callable[..., Client], path: str) -> None:
    headers = browser().get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    for directive in ("base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"):
        assert directive in headers["Content-Security-Policy"]
    assert headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()"
    assert headers.get("X-Frame-Options") == "DENY" or path.startswith("/static/")
    assert "includeSubDomains; preload" in headers["Strict-Transport-Security"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "max-age=63072000" in headers["Strict-Transport-Security"]
    assert (
        headers["Cache-Control"] == "no-store" or path.startswith("/static/") or "no-store" in headers["Cache-Control"]
    )


def test_cookies(world: World, browser: Callable[..., Client]) -> None:
    cookies = browser().get("/login/").cookies
    assert set(cookies) == {"__Host-csrf"}
    cookie = cookies["__Host-csrf"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (
        True,
        True,
        "Lax",
        "/",
        "",
    )


def test_pages_hold_no_inline_code(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["administrator"])
    for path in ("/login/", "/", "/admin/", "/admin/accounts/account/add/", "/admin/customers/membership/add/"):
        page = client.get(path).content.decode()
        assert "<script>" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_form_without_token_changes_nothing(world: World, browser: Callable[..., Client]) -> None:
    client = Client(enforce_csrf_checks=True, **{**PROXY, "HTTP_X_REAL_IP": "198.51.100.7"})
    client.cookies = browser(world.people["manager"]).cookies
    assert client.post(reverse("contact-remove", args=[world.own_contact.pk])).status_code == 403
    world.own_contact.refresh_from_db()


def test_plain_http_is_redirected_but_for_the_health_check(db: None, browser: Callable[..., Client]) -> None:
    plain = {"HTTP_X_FORWARDED_PROTO": "http"}
    response = browser().get("/login/", **plain)
    assert (response.status_code, response.headers["Location"]) == (301, "https://platform.example.test/login/")
    assert browser().get("/healthz", **plain).status_code == 200


def test_other_host_names_are_refused(db: None, browser: Callable[..., Client]) -> None:
    assert browser().get("/login/", HTTP_HOST="evil.example").status_code == 400


def test_health_follows_the_database(db: None, browser: Callable[..., Client]) -> None:
    client = browser()
    assert client.get("/healthz").content == b"ok\n"
    with patch("django.db.backends.utils.CursorWrapper.execute", side_effect=OperationalError):
        assert client.get("/healthz").status_code == 503


def test_search_and_pages_take_anything(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["manager"])
    path = reverse("organisation", args=[world.own.pk])
    for query in ("olga", "%", "\0", "x" * 5000, "'; DROP TABLE x; --", "page=-1"):
        assert client.get(path, {"q": query, "page": query}).status_code == 200
    assert b"Olga Own" in client.get(path, {"q": "olga"}).content
    assert b"Nobody matches" in client.get(path, {"q": "fabrice"}).content
    assert b"<script>" not in client.get(path, {"q": "<script>"}).content


def start(module: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_server_refuses_to_start_without_secret_or_domain(tmp_path: Path) -> None:
    domain, key = {"PLATFORM_DOMAIN": "platform.example.test"}, "k" * 50
    assert "DJANGO_SECRET_KEY has 0 characters" in start("art32_platform.wsgi", **domain).stderr
    assert "PLATFORM_DOMAIN is empty" in start("art32_platform.asgi", DJANGO_SECRET_KEY=key).stderr
    (tmp_path / "DJANGO_SECRET_KEY").write_text(key + "\n")
    assert start("art32_platform.wsgi", CREDENTIALS_DIRECTORY=str(tmp_path), **domain).stderr == ""
    assert (
        "'relay:x'"
        in start("art32_platform.wsgi", PLATFORM_MAIL_RELAY="relay:x", DJANGO_SECRET_KEY=key, **domain).stderr
    )


def test_data_key_comes_from_the_credentials_and_has_a_length(tmp_path: Path) -> None:
    domain, key = {"PLATFORM_DOMAIN": "platform.example.test"}, {"DJANGO_SECRET_KEY": "k" * 50}
    assert (
        "PLATFORM_DATA_KEY has 5 characters"
        in start("art32_platform.wsgi", PLATFORM_DATA_KEY="short", **key, **domain).stderr
    )
    (tmp_path / "PLATFORM_DATA_KEY").write_text("d" * 40 + "\n")
    for name, content in (("DJANGO_SECRET_KEY", "k" * 50), ("PLATFORM_DATA_KEY", "d" * 40)):
        (tmp_path / name).write_text(content + "\n")
    ask = "art32_platform.settings as s; assert s.PLATFORM_DATA_KEY == 'd' * 40"
    assert start(ask, CREDENTIALS_DIRECTORY=str(tmp_path), **domain).stderr == ""


def test_django_finds_nothing_to_say(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", deploy=True, fail_level="WARNING")
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_bandit_finds_nothing() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-ll", "-r", str(SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_wheel_names_what_the_requirements_pin() -> None:
    project = SOURCES.parent
    pinned = (project / "requirements.txt").read_text(encoding="utf-8")
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    for dependency in metadata["project"]["dependencies"]:
        name = dependency.split(">")[0].split("[")[0]
        assert f"\n{name}==" in "\n" + pinned
    assert json.dumps(pinned).count("--hash=sha256:") > 10
