"""Becoming a member and staying one: invitations, the second factor, sessions, throttling, refused passwords."""

from __future__ import annotations

import hashlib
import re
import smtplib
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.contrib.auth.password_validation import validate_password
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django_otp.oath import TOTP

from art32_platform.accounts import sealing, second_factor
from art32_platform.accounts.links import VALID, ask_for, deliver_links
from art32_platform.accounts.models import Account, Authenticator, BackupCode, Link, Purpose, Session
from art32_platform.accounts.second_factor import IN_SESSION
from art32_platform.accounts.sessions import public_name
from art32_platform.activity.models import Activity
from art32_platform.customers.models import Membership

from .conftest import ADDRESS, AUTHENTICATOR_KEY, PASSWORD, TODAY, World
from .test_login import login

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django import DjangoCaptureOnCommitCallbacks
    from pytest_django.fixtures import SettingsWrapper

NEW = "another long enough phrase"
BOTH = {"new_password1": NEW, "new_password2": NEW}
CODE_PAGE = "/login/code/"


def mailed_link() -> str:
    found = re.search(r"https://platform\.example\.test(/link/\S+/)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def code_of(key: str, *, later: int = 0) -> str:
    return f"{TOTP(bytes.fromhex(key), 30, t0=-30 * later).token():06}"


def shown_codes(response: HttpResponse) -> list[str]:
    return re.findall(r"<li><code>([a-z2-7-]{29})</code></li>", response.content.decode())


# Invitations and resets


def test_manager_invites_and_the_invited_chooses_a_password(
    world: World,
    browser: Callable[..., Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    path = reverse("organisation-invite", args=[world.own.pk])
    with django_capture_on_commit_callbacks(execute=True):
        browser(world.people["manager"]).post(path, {"email": "New@example.test", "name": "Nora", "role": 20})
    account = Account.objects.get(email="new@example.test")
    assert not account.has_usable_password()
    assert mail.outbox[-1].to == ["new@example.test"]
    client = browser()
    opened = client.get(mailed_link())
    assert opened.headers["Location"] == "/link/"  # the token does not stay in the address
    assert client.post("/link/", BOTH).headers["Location"] == "/login/"
    assert login(client, "new@example.test", NEW).status_code == 302
    assert client.get(reverse("organisation", args=[world.own.pk])).status_code == 200
    assert Activity.objects.filter(action="change", kind="accounts.account", account="new@example.test").exists()


def test_administrator_makes_an_account_without_knowing_its_password(
    world: World,
    browser: Callable[..., Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    data = {"email": "new@example.test", "name": "Nora", "usable_password": "false"}
    with django_capture_on_commit_callbacks(execute=True):
        browser(world.people["administrator"]).post(reverse("admin:accounts_account_add"), data)
    assert mail.outbox[-1].to == ["new@example.test"]
    assert Link.objects.get().created_by == "administrator@example.test"
    assert browser().get(mailed_link()).status_code == 302


def test_link_works_once(world: World, browser: Callable[..., Client]) -> None:
    ask_for(world.people["viewer"], Purpose.RESET, by="test")
    deliver_links()
    client, other = browser(), browser()
    for one in (client, other):
        one.get(mailed_link())
    assert client.post("/link/", BOTH).status_code == 302
    assert other.post("/link/", BOTH).status_code == 410
    assert browser().get(mailed_link()).status_code == 410


@pytest.mark.parametrize("purpose", list(Purpose))
def test_link_expires(world: World, browser: Callable[..., Client], purpose: Purpose) -> None:
    ask_for(world.people["viewer"], purpose, by="test")
    deliver_links()
    link = Link.objects.get()
    assert link.expires_at - link.mailed_at == VALID[purpose] <= timedelta(days=3)
    assert browser().get(mailed_link()).status_code == 302
    Link.objects.update(expires_at=datetime.now(tz=UTC) - timedelta(seconds=1))
    assert browser().get(mailed_link()).status_code == 410


def test_token_is_nowhere_in_the_database(world: World) -> None:
    ask_for(world.people["viewer"], Purpose.RESET, by="test")
    deliver_links()
    token = mailed_link().split("/")[2]
    assert len(token) >= 43  # 256 bits
    assert Link.objects.get().digest == hashlib.sha256(token.encode()).hexdigest()


def test_reset_ends_sessions_and_other_links(
    world: World,
    browser: Callable[..., Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    elsewhere = browser(world.people["viewer"])
    with django_capture_on_commit_callbacks(execute=True):
        browser().post(reverse("reset"), {"email": "VIEWER@example.test"})
    client = browser()
    client.get(mailed_link())
    client.post("/link/", BOTH)
    assert elsewhere.get("/").status_code == 302
    assert not Link.objects.filter(used_at=None).exists()
    assert login(browser(), "viewer@example.test", NEW).status_code == 302


def test_reset_tells_nobody_which_accounts_exist(
    world: World,
    browser: Callable[..., Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    Account.objects.filter(email="editor@example.test").update(is_active=False)
    pages = set()
    for email in ("viewer@example.test", "nobody@example.test", "editor@example.test"):
        with django_capture_on_commit_callbacks(execute=True):
            page = browser().post(reverse("reset"), {"email": email}).content.decode()
        pages.add(re.sub(r'value="[^"]+"', "", page))
    assert len(pages) == 1
    assert [message.to for message in mail.outbox] == [["viewer@example.test"]]


def test_links_are_not_mailed_without_end(
    world: World,
    browser: Callable[..., Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    for _ in range(10):
        with django_capture_on_commit_callbacks(execute=True):
            browser().post(reverse("reset"), {"email": "viewer@example.test"})
    assert len(mail.outbox) == 3


def test_link_waits_while_the_relay_is_down(world: World) -> None:
    ask_for(world.people["viewer"], Purpose.RESET, by="test")
    down = smtplib.SMTPException("down")
    with patch("django.core.mail.backends.locmem.EmailBackend.send_messages", side_effect=down):
        assert deliver_links().problem == "Links could not be mailed through 127.0.0.1: down"
    assert Link.objects.get().digest == ""
    call_command("deliver", verbosity=0)
    assert Link.objects.get().mailed_at


# The second factor


def test_administrator_sets_up_a_second_factor_at_the_first_login(
    world: World,
    browser: Callable[..., Client],
) -> None:
    Authenticator.objects.all().delete()
    client = browser()
    assert login(client, "administrator@example.test", PASSWORD).headers["Location"] == CODE_PAGE
    assert client.get("/admin/").status_code == 302, "the password alone opens nothing"
    key = sealing.opened(client.session["pending"]["key"], about=IN_SESSION).hex()
    assert "svg" in client.get(CODE_PAGE).content.decode()
    assert client.post(CODE_PAGE, {"code": "000000"}).status_code == 200
    assert b"Backup codes" in client.post(CODE_PAGE, {"code": code_of(key)}).content
    assert client.get("/admin/").status_code == 200
    assert Activity.objects.filter(
        kind="accounts.second_factor", action="insert", account="administrator@example.test"
    ).exists()


def test_password_without_code_opens_nothing(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    before = Activity.objects.filter(action="login").count()
    login(client, "administrator@example.test", PASSWORD)
    for path in ("/", "/admin/", "/security/", "/security/authenticator/", "/password/"):
        assert client.get(path).status_code == 302, path
    assert Activity.objects.filter(action="login").count() == before
    assert "X-Account" not in client.get(CODE_PAGE)
    page = client.get(CODE_PAGE).content.decode()
    assert second_factor.readable(Authenticator.objects.get().bin_key.hex()) not in page
    assert "<svg" not in page, "who has a device is not shown another key"


def test_code_is_taken_once(world: World, browser: Callable[..., Client]) -> None:
    code = code_of(Authenticator.objects.get().bin_key.hex())
    first, second = browser(), browser()
    for client in (first, second):
        login(client, "administrator@example.test", PASSWORD)
    assert first.post(CODE_PAGE, {"code": f"{code[:3]} {code[3:]}"}).status_code == 302
    assert second.post(CODE_PAGE, {"code": code}).status_code == 200


def test_session_is_new_after_the_code(world: World, browser: Callable[..., Client]) -> None:
    """What somebody else could have planted or read before the login is worth nothing after it."""
    client, thief = browser(), browser()
    login(client, "administrator@example.test", PASSWORD)
    before = client.cookies[configured.SESSION_COOKIE_NAME].value
    assert client.post(CODE_PAGE, {"code": code_of(Authenticator.objects.get().bin_key.hex())}).status_code == 302
    assert client.get("/").status_code == 200
    assert client.cookies[configured.SESSION_COOKIE_NAME].value != before
    thief.cookies[configured.SESSION_COOKIE_NAME] = before
    assert thief.get("/").status_code == 302


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_code_of_another_minute_is_refused(world: World, browser: Callable[..., Client], steps: int) -> None:
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    assert client.post(CODE_PAGE, {"code": code_of(AUTHENTICATOR_KEY.hex(), later=steps)}).status_code == 200
    assert client.get("/").status_code == 302


def test_new_password_does_not_get_around_the_second_factor(world: World, browser: Callable[..., Client]) -> None:
    ask_for(world.people["administrator"], Purpose.RESET, by="test")
    deliver_links()
    client = browser()
    client.get(mailed_link())
    assert client.post("/link/", BOTH).headers["Location"] == "/login/"
    assert client.get("/admin/").status_code == 302
    assert login(client, "administrator@example.test", NEW).headers["Location"] == CODE_PAGE


def test_guessing_codes_is_stopped(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    codes = [client.post(CODE_PAGE, {"code": f"{number:06}"}).status_code for number in range(6)]
    assert codes[-1] == 429
    assert login(browser(), "administrator@example.test", PASSWORD).status_code == 429
    assert Activity.objects.filter(action="login failed", account="administrator@example.test").count() >= 5


def test_code_is_waited_for_five_minutes(world: World, browser: Callable[..., Client]) -> None:
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    session = client.session
    session["pending"] = {**session["pending"], "until": time.time() - 1}
    session.save()
    code = code_of(Authenticator.objects.get().bin_key.hex())
    assert client.post(CODE_PAGE, {"code": code}).headers["Location"] == "/login/"


def test_whoever_becomes_administrator_needs_a_second_factor_at_once(
    world: World, browser: Callable[..., Client]
) -> None:
    client = browser(world.people["staff"])
    assert client.get("/admin/").status_code == 200
    Account.objects.filter(email="staff@example.test").update(is_administrator=True)
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("administrators", ["administrator"]),
        ("staff", ["administrator", "staff"]),
        ("everybody", ["administrator", "staff", "viewer"]),
    ],
)
def test_rule_says_who_needs_a_second_factor(
    world: World, settings: SettingsWrapper, rule: str, asked: list[str]
) -> None:
    settings.PLATFORM_SECOND_FACTOR = rule
    names = ("administrator", "staff", "viewer")
    assert [name for name in names if world.people[name].needs_second_factor] == asked


def test_anybody_may_use_a_second_factor(world: World, browser: Callable[..., Client]) -> None:
    client, elsewhere = browser(world.people["viewer"]), browser(world.people["viewer"])
    path = reverse("second-factor")
    client.get(path)
    key = sealing.opened(client.session["key"], about=IN_SESSION).hex()
    assert client.post(path, {"password": "wrong", "code": code_of(key)}).status_code == 200
    assert not Authenticator.objects.filter(user=world.people["viewer"]).exists()
    assert len(shown_codes(client.post(path, {"password": PASSWORD, "code": code_of(key)}))) == 10
    assert elsewhere.get("/").status_code == 302
    again = browser()
    assert login(again, "viewer@example.test", PASSWORD).headers["Location"] == CODE_PAGE
    assert again.post(CODE_PAGE, {"code": code_of(key, later=1)}).status_code == 302


def test_lost_authenticator_is_forgotten_by_command(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["administrator"])
    call_command("member", "--email", "administrator@example.test", "--reset-second-factor", verbosity=0)
    assert not Authenticator.objects.exists()
    assert client.get("/").status_code == 302


def with_codes(account: Account) -> list[str]:
    key = sealing.sealed(AUTHENTICATOR_KEY, about=Authenticator.about(account.pk))
    Authenticator.objects.create(user=account, name="Authenticator", key=key)
    return second_factor.new_codes(account)


def test_backup_code_logs_in_once(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    codes = with_codes(account)
    assert len(set(codes)) == 10
    for client, code, status in (
        (browser(), codes[0], 302),
        (browser(), codes[0], 200),
        (browser(), codes[1].upper().replace("-", " "), 302),
    ):
        assert login(client, account.email, PASSWORD).headers["Location"] == CODE_PAGE
        assert client.post(CODE_PAGE, {"backup": code}).status_code == status
        assert client.get("/").status_code == (200 if status == 302 else 302)
    assert second_factor.codes_left(account) == 8
    assert Activity.objects.filter(kind="accounts.backup_code", action="change", account=account.email).count() == 2


def test_backup_code_opens_nothing_but_its_own_account(world: World, browser: Callable[..., Client]) -> None:
    codes = with_codes(world.people["viewer"])
    foreign = browser()
    login(foreign, "administrator@example.test", PASSWORD)
    assert foreign.post(CODE_PAGE, {"backup": codes[0]}).status_code == 200
    alone = browser()
    assert alone.post(CODE_PAGE, {"backup": codes[0]}).headers["Location"] == "/login/", "no password, no login"
    assert second_factor.codes_left(world.people["viewer"]) == 10


def test_guessing_backup_codes_is_stopped(world: World, browser: Callable[..., Client]) -> None:
    with_codes(world.people["viewer"])
    client = browser()
    login(client, "viewer@example.test", PASSWORD)
    guesses = [client.post(CODE_PAGE, {"backup": "abcd-" * 5 + f"abc{number}"}) for number in range(2, 8)]
    assert [guess.status_code for guess in guesses][-1] == 429


def test_backup_codes_are_no_way_around_the_set_up_of_an_authenticator(
    world: World, browser: Callable[..., Client]
) -> None:
    Authenticator.objects.all().delete()
    code = second_factor.new_codes(world.people["administrator"])[0]
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    client.post(CODE_PAGE, {"backup": code})
    assert client.get("/").status_code == 302


def test_new_backup_codes_ask_for_the_password_and_end_the_old_ones(
    world: World, browser: Callable[..., Client]
) -> None:
    account = world.people["administrator"]
    old = second_factor.new_codes(account)
    client = browser(account)
    path = reverse("backup-codes")
    assert shown_codes(client.post(path, {"password": "wrong"})) == []
    assert second_factor.codes_left(account) == 10
    new = shown_codes(client.post(path, {"password": PASSWORD}))
    assert len(new) == 10
    assert not set(new) & set(old)
    assert not second_factor.use_code(account, old[0].replace("-", ""))
    assert second_factor.use_code(account, new[0].replace("-", ""))
    without = browser(world.people["viewer"])
    assert without.get(path).headers["Location"] == reverse("second-factor"), "they stand in for something"


def test_forgetting_an_authenticator_ends_its_backup_codes(world: World) -> None:
    second_factor.new_codes(world.people["administrator"])
    call_command("member", "--email", "administrator@example.test", "--reset-second-factor", verbosity=0)
    assert not BackupCode.objects.exists()


def everything_stored() -> str:
    """Every row of every table, as a copy of the database has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for name in tables:
            cursor.execute(f"SELECT t::text FROM {name} t")
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_no_key_and_no_code_is_in_the_clear_in_the_database(world: World, browser: Callable[..., Client]) -> None:
    """While an authenticator is set up at a login, while another is while logged in, and afterwards."""
    Authenticator.objects.filter(user=world.people["administrator"]).delete()
    client, other = browser(), browser(world.people["viewer"])
    login(client, "administrator@example.test", PASSWORD)
    other.get(reverse("second-factor"))
    keys = [
        sealing.opened(client.session["pending"]["key"], about=IN_SESSION).hex(),
        sealing.opened(other.session["key"], about=IN_SESSION).hex(),
    ]
    while_set_up = everything_stored() + "".join(str(dict(one.session)) for one in (client, other))
    codes = shown_codes(client.post(CODE_PAGE, {"code": code_of(keys[0])}))
    codes += shown_codes(other.post(reverse("second-factor"), {"password": PASSWORD, "code": code_of(keys[1])}))
    assert len(codes) == 20
    stored = while_set_up + everything_stored()
    assert "administrator@example.test" in stored, "what is looked through is what is stored"
    for key in keys:
        assert key not in stored.lower()
        assert second_factor.readable(key).replace(" ", "").lower() not in stored.lower()
    for code in codes:
        assert code.replace("-", "") not in stored.replace("-", "").lower()
    assert Authenticator.objects.count() == 2
    assert all(sealing.is_sealed(device.key) for device in Authenticator.objects.all())


def test_sealed_key_is_of_no_use_elsewhere(world: World, browser: Callable[..., Client]) -> None:
    """Who can write to the database cannot put the own authenticator in another's place."""
    with_codes(world.people["viewer"])
    own = Authenticator.objects.get(user=world.people["viewer"]).key
    Authenticator.objects.filter(user=world.people["administrator"]).update(key=own)
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    assert client.post(CODE_PAGE, {"code": code_of(AUTHENTICATOR_KEY.hex())}).status_code == 200
    assert client.get("/").status_code == 302


def test_key_from_before_sealing_is_sealed_when_it_is_used(world: World, browser: Callable[..., Client]) -> None:
    Authenticator.objects.update(key=AUTHENTICATOR_KEY.hex())
    client = browser()
    login(client, "administrator@example.test", PASSWORD)
    assert client.post(CODE_PAGE, {"code": code_of(AUTHENTICATOR_KEY.hex())}).status_code == 302
    assert sealing.is_sealed(Authenticator.objects.get().key)
    assert Authenticator.objects.get().bin_key == AUTHENTICATOR_KEY


def test_update_seals_the_keys_that_are_there(world: World) -> None:
    migration = import_module("art32_platform.accounts.migrations.0005_authenticators")
    Authenticator.objects.update(key=AUTHENTICATOR_KEY.hex())
    migration.seal(apps, None)
    assert sealing.is_sealed(Authenticator.objects.get().key)
    assert Authenticator.objects.get().bin_key == AUTHENTICATOR_KEY


def test_seal_opens_with_its_key_alone(settings: SettingsWrapper) -> None:
    before = sealing.sealed(b"secret", about="x")
    settings.PLATFORM_DATA_KEY = "d" * 40
    after = sealing.sealed(b"secret", about="x")
    assert sealing.opened(before, about="x") == sealing.opened(after, about="x") == b"secret"
    settings.SECRET_KEY = "another secret key" * 5  # as after its rotation
    assert sealing.opened(after, about="x") == b"secret"
    for text, about in ((before, "x"), (after, "y"), (after[:-4] + "AAAA", "x"), ("", "x"), ("1:", "x"), ("1:?", "x")):
        with pytest.raises(sealing.SealError):
            sealing.opened(text, about=about)


# Sessions


def test_list_of_sessions_shows_them_and_ends_one(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    here, there = browser(account), browser(account)
    stranger = browser(world.people["editor"])
    page = here.get(reverse("security")).content.decode()
    assert page.count(ADDRESS) == 2
    keys = {client.cookies[configured.SESSION_COOKIE_NAME].value for client in (here, there, stranger)}
    assert not [key for key in keys if key in page], "a session's key is as good as a password"
    name = public_name(there.cookies[configured.SESSION_COOKIE_NAME].value)
    stranger.post(reverse("security"), {"session": name})
    assert there.get("/").status_code == 200, "nobody ends somebody else's session"
    here.post(reverse("security"), {"session": name})
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200


def test_all_other_sessions_are_ended_at_once(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    here, *others = (browser(account) for _ in range(3))
    stranger = browser(world.people["editor"])
    here.post(reverse("security"), {"session": "others"})
    assert [client.get("/").status_code for client in (here, *others, stranger)] == [200, 302, 302, 200]


@pytest.mark.parametrize(("fact", "limit"), [("seen", "PLATFORM_IDLE_LIMIT"), ("started", "PLATFORM_SESSION_LIMIT")])
def test_session_ends_when_idle_and_in_any_case(
    world: World, browser: Callable[..., Client], settings: SettingsWrapper, fact: str, limit: str
) -> None:
    client = browser(world.people["viewer"])
    allowed = getattr(settings, limit).total_seconds()
    for before_the_end, status in ((5, 200), (-5, 302)):
        session = client.session
        session["facts"] = {**session["facts"], fact: time.time() - allowed + before_the_end}
        session.save()
        assert client.get("/").status_code == status
    assert not Session.objects.filter(account=world.people["viewer"]).exists()


def test_use_keeps_a_session_alive(world: World, browser: Callable[..., Client]) -> None:
    client = browser(world.people["viewer"])
    session = client.session
    session["facts"] = {**session["facts"], "seen": time.time() - 20 * 60}
    session.save()
    client.get("/")
    assert time.time() - client.session["facts"]["seen"] < 60


def test_last_day_of_an_account_ends_its_sessions(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["viewer"]
    client = browser(account)
    for until, status in ((TODAY, 200), (TODAY - timedelta(days=1), 302)):
        Account.objects.filter(pk=account.pk).update(until=until)
        assert client.get("/").status_code == status


# Throttling


def test_address_that_fails_for_many_accounts_has_to_wait(world: World, browser: Callable[..., Client]) -> None:
    codes = [login(browser(), f"{number}@example.test", "guess").status_code for number in range(32)]
    assert codes == [200] * 30 + [429] * 2
    assert login(browser(), "viewer@example.test", PASSWORD).status_code == 429
    assert login(browser(address="198.51.100.20"), "viewer@example.test", PASSWORD).status_code == 302


def test_many_guessers_do_not_shut_the_owner_out(world: World, browser: Callable[..., Client]) -> None:
    assert login(browser(address="198.51.100.20"), "viewer@example.test", PASSWORD).status_code == 302
    for number in range(20):
        login(browser(address=f"203.0.113.{number}"), "viewer@example.test", "guess")
    assert login(browser(address="203.0.113.99"), "viewer@example.test", PASSWORD).status_code == 429
    assert login(browser(address="198.51.100.20"), "viewer@example.test", PASSWORD).status_code == 302
    assert login(browser(address="203.0.113.99"), "editor@example.test", PASSWORD).status_code == 302


def test_thousand_guesses_with_forged_headers(world: World, browser: Callable[..., Client]) -> None:
    client = browser(address="203.0.113.99")
    codes = []
    for number in range(1000):
        forged = {"HTTP_X_FORWARDED_FOR": f"192.0.2.{number % 250}", "HTTP_FORWARDED": f"for=192.0.2.{number % 250}"}
        data = {"username": "viewer@example.test", "password": f"guess {number}"}
        codes.append(client.post(reverse("login"), data, **forged).status_code)
    assert codes.count(200) <= 5
    assert set(codes[5:]) == {429}
    assert login(browser(address="198.51.100.20"), "viewer@example.test", PASSWORD).status_code == 302


GUESSED_AT: dict[str, dict[str, str]] = {
    "password": {"old_password": "{}", "new_password1": NEW, "new_password2": NEW},
    "second-factor": {"password": "{}", "code": "000000"},
    "backup-codes": {"password": "{}"},
}


@pytest.mark.parametrize("page", GUESSED_AT)
def test_guessing_the_own_password_is_stopped(world: World, browser: Callable[..., Client], page: str) -> None:
    """Whoever finds or steals a session does not find the password with it."""

    def tried(password: str, address: str) -> int:
        data = {name: value.format(password) for name, value in GUESSED_AT[page].items()}
        return int(browser(account, address).post(reverse(page), data).status_code)

    account = world.people["administrator"]
    assert tried("", "203.0.113.99") == 200
    assert [tried(f"guess {number}", "203.0.113.99") for number in range(7)] == [200] * 4 + [429] * 3
    assert tried(PASSWORD, "203.0.113.99") == 429, "not even the right one"
    assert browser(account, "203.0.113.99").get("/security/").status_code == 200
    assert login(browser(address="203.0.113.99"), account.email, PASSWORD).status_code == 429
    assert tried(PASSWORD, "198.51.100.20") != 429
    failed = Activity.objects.filter(action="login failed", account=account.email)
    assert set(failed.values_list("origin", flat=True)) == {"203.0.113.99"}
    assert 4 <= failed.count() <= 6


def test_many_guessers_with_stolen_sessions_are_stopped(world: World, browser: Callable[..., Client]) -> None:
    account = world.people["administrator"]
    answers = [
        browser(account, f"203.0.113.{number}").post(reverse("backup-codes"), {"password": "guess"}).status_code
        for number in range(22)
    ]
    assert answers == [200] * 20 + [429] * 2


# Passwords


@pytest.mark.parametrize(
    "password",
    ["qwertyuiop12", "Password2026!!", "iloveyou12345", "aaaaaaaaaaaaaaaa", "platform.example.test", "Vera Viewer 1"],
)
def test_common_password_is_refused(world: World, password: str) -> None:
    account = world.people["viewer"]
    account.name = "Vera Viewer"
    with pytest.raises(ValidationError):
        validate_password(password, account)
    validate_password(NEW, account)


def test_breached_password_is_refused_offline(world: World, tmp_path: Path, settings: SettingsWrapper) -> None:
    bad = [f"breached passphrase number {number} of many" for number in range(200)]
    digests = sorted(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper() for text in bad)
    listed = tmp_path / "breached.txt"
    settings.PLATFORM_BREACHED_PASSWORDS = str(listed)
    for ends in ("\n", ":7\n", "\r\n"):
        listed.write_text("".join(f"{digest}{ends}" for digest in digests), newline="")
        for password in bad:
            with pytest.raises(ValidationError, match="stolen"):
                validate_password(password)
        for number in range(200):
            validate_password(f"another passphrase {number} nobody stole")
    listed.write_text("")
    validate_password(bad[0])
    listed.unlink()
    with pytest.raises(ImproperlyConfigured, match="PLATFORM_BREACHED_PASSWORDS"):
        validate_password(bad[0])


def test_password_may_be_long_and_of_any_characters(world: World) -> None:
    for password in (NEW * 20 + "ünïcode 密码", "only lower case letters here", "Ø" * 3 + " grün schwebt der Fjord"):
        validate_password(password, world.people["viewer"])


def test_memberships_of_staff_end_soon_or_do_not_count(
    world: World, browser: Callable[..., Client], settings: SettingsWrapper
) -> None:
    client = browser(world.people["staff-viewer"])
    path = reverse("organisation", args=[world.own.pk])
    days = timedelta(days=settings.PLATFORM_STAFF_ACCESS_DAYS)
    memberships = Membership.objects.filter(account=world.people["staff-viewer"])
    for until, status in ((TODAY, 200), (TODAY + days, 200), (TODAY + days * 2, 404), (None, 404)):
        memberships.update(until=until)
        assert client.get(path).status_code == status
        if status == 404:
            with pytest.raises(ValidationError, match="staff"):
                memberships.get().clean()
