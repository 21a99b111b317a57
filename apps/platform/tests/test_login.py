"""Logging in: passwords, throttling, sessions, and what tells who is logged in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from art32_platform import environment
from art32_platform import settings as real  # beside the tests' settings
from art32_platform.accounts.models import Account
from art32_platform.accounts.passwords import Hasher
from art32_platform.activity.models import Activity

from .conftest import PASSWORD, World
from .hashers import Quick

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

REFUSED = b"do not belong together"


def login(client: Client, email: str, password: str) -> HttpResponse:
    return client.post(reverse("login"), {"username": email, "password": password})


def test_new_password_is_hashed_with_bcrypt_of_cost_12_or_more(db: None, settings: SettingsWrapper) -> None:
    settings.PASSWORD_HASHERS = real.PASSWORD_HASHERS
    account = Account.objects.create_user("ann@example.test", PASSWORD)
    assert account.password.startswith(f"bcrypt_sha256$$2b${real.PLATFORM_PASSWORD_COST}$")
    assert account.check_password(PASSWORD)
    assert not account.check_password(PASSWORD + " ")


def test_cheaper_hash_is_made_anew_at_login(
    world: World, browser: Callable[..., Client], settings: SettingsWrapper
) -> None:
    assert world.people["viewer"].password.startswith("bcrypt_sha256$$2b$04$")
    settings.PASSWORD_HASHERS = real.PASSWORD_HASHERS
    assert REFUSED in login(browser(), "viewer@example.test", "wrong").content
    assert Account.objects.get(email="viewer@example.test").password == world.people["viewer"].password
    assert login(browser(), "viewer@example.test", PASSWORD).status_code == 302
    stored = Account.objects.get(email="viewer@example.test").password
    assert stored.startswith(f"bcrypt_sha256$$2b${real.PLATFORM_PASSWORD_COST}$")


@pytest.mark.parametrize(
    "password",
    ["x" * length for length in (64, 72, 73, 128, 1000)] + ["ä" * 40, "密码" * 30, "x" * 71 + "ü" + "y"],
    ids=lambda password: f"{len(password)} characters, {len(password.encode())} bytes",
)
def test_password_of_any_length_counts_whole(world: World, browser: Callable[..., Client], password: str) -> None:
    account = world.people["viewer"]
    account.set_password(password)
    account.save()
    for wrong in (password[:-1], password + "z", password[:-1] + "z"):
        assert REFUSED in login(browser(), account.email, wrong).content
    assert login(browser(), account.email, password).status_code == 302


def test_unknown_and_wrong_look_and_cost_the_same(db: None, browser: Callable[..., Client]) -> None:
    """200 of each: ten accounts that are there and ten that are not, from twenty addresses, so that none is stopped."""
    for number in range(10):
        Account.objects.create_user(f"a{number}@example.test", PASSWORD)
    seen: dict[str, set[tuple[int, str]]] = {"a": set(), "b": set()}
    with patch.object(Quick, "encode", autospec=True, side_effect=Quick.encode) as encode:
        for attempt in range(200):
            for kind, answers in seen.items():
                email = f"{kind}{attempt % 10}@example.test"
                before = encode.call_count
                response = login(browser(address=f"203.0.113.{attempt // 10}"), email, "wrong password")
                assert encode.call_count == before + 1, f"{email}: the hasher was not asked once"
                assert REFUSED in response.content
                page = response.content.decode().replace(email, "")
                answers.add((response.status_code, re.sub(r'value="[^"]*"', "", page)))
    assert seen["a"] == seen["b"]
    assert len(seen["a"]) == 1


def test_case_and_blanks_of_the_address_do_not_matter(world: World, browser: Callable[..., Client]) -> None:
    assert login(browser(), " Viewer@EXAMPLE.test ", PASSWORD).status_code == 302


def test_guessing_is_stopped_for_the_guesser_only(world: World, browser: Callable[..., Client]) -> None:
    codes = []
    for number in range(10):
        forged = {"HTTP_X_FORWARDED_FOR": f"203.0.113.{number}"}
        client = browser(address="203.0.113.99")
        email = "viewer@example.test" if number % 2 else "VIEWER@example.test"
        codes.append(client.post(reverse("login"), {"username": email, "password": "guess"}, **forged).status_code)
    assert codes == [200] * 4 + [429] * 6
    assert login(browser(address="203.0.113.99"), "viewer@example.test", PASSWORD).status_code == 429
    assert login(browser(address="198.51.100.20"), "viewer@example.test", PASSWORD).status_code == 302


def test_over_tcp_no_header_changes_the_address(world: World, browser: Callable[..., Client]) -> None:
    for number in range(5):
        client = browser(address=f"203.0.113.{number}")
        login_from_tcp = client.post(
            reverse("login"),
            {"username": "viewer@example.test", "password": "guess"},
            REMOTE_ADDR="127.0.0.1",
        )
    assert login_from_tcp.status_code == 429


def test_inactive_account_is_out_at_once(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    client = browser(account)
    assert client.get("/").status_code == 200
    account.is_active = False
    account.save()
    assert client.get("/").status_code == 302
    assert REFUSED in login(browser(), account.email, PASSWORD).content


def test_session_is_new_at_login_and_dead_after_logout(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    login(client, "viewer@example.test", PASSWORD)
    first = client.cookies["__Host-session"]
    assert (first["secure"], first["httponly"], first["samesite"], first["path"]) == (True, True, "Lax", "/")
    client.post(reverse("logout"))
    thief = browser()
    thief.cookies["__Host-session"] = first.value
    assert thief.get("/").status_code == 302
    login(client, "viewer@example.test", PASSWORD)
    assert client.cookies["__Host-session"].value != first.value


def test_password_change_ends_other_sessions(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    here, elsewhere = browser(account), browser(account)
    new = "another long enough phrase"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post(reverse("password"), data).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


@pytest.mark.parametrize("weak", ["short", "password1234", "viewer@example.test"])
def test_weak_password_is_refused(world: World, browser: Callable[..., Client], weak: str) -> None:
    client = browser(world.people["viewer"])
    data = {"old_password": PASSWORD, "new_password1": weak, "new_password2": weak}
    assert client.post(reverse("password"), data).status_code == 200
    assert Account.objects.get(email="viewer@example.test").check_password(PASSWORD)


def test_answers_name_the_account(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    assert "X-Account" not in client.get(reverse("login"))
    assert "X-Account" not in login(client, "viewer@example.test", "wrong")
    assert login(client, "viewer@example.test", PASSWORD)["X-Account"] == "viewer@example.test"
    for path in ("/", "/privacy/", "/healthz", "/nowhere/", "/admin/"):
        assert client.get(path)["X-Account"] == "viewer@example.test"
    assert client.post(reverse("logout"))["X-Account"] == "viewer@example.test"
    assert "X-Account" not in client.get(reverse("login"))


def test_logins_leave_rows(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    before = Activity.objects.count()
    login(client, "Viewer@example.test", "wrong")
    login(client, "my secret typed as an address", "wrong")
    login(client, "viewer@example.test", PASSWORD)
    client.post(reverse("logout"))
    rows = Activity.objects.order_by("id")[before:].values_list("action", "account", "origin")
    assert list(rows) == [
        ("login failed", "viewer@example.test", "198.51.100.7"),
        ("login", "viewer@example.test", "198.51.100.7"),
        ("logout", "viewer@example.test", "198.51.100.7"),
    ]


def test_the_only_hasher_is_the_promised_one() -> None:
    assert real.PASSWORD_HASHERS == ["art32_platform.accounts.passwords.Hasher"]
    assert Hasher.algorithm == "bcrypt_sha256"
    assert Hasher.rounds == real.PLATFORM_PASSWORD_COST >= 12


@pytest.mark.parametrize("cost", ["4", "11", "17", "", "x"])
def test_cost_is_what_bcrypt_can_bear(cost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COST", cost)
    if not cost:
        assert environment.number("COST", default=13, least=12, most=16) == 13
        return
    with pytest.raises(ImproperlyConfigured, match=f"COST is '{cost}'; allowed: 12 to 16"):
        environment.number("COST", default=13, least=12, most=16)
