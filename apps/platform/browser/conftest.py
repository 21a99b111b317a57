"""The platform as it is served, over TLS with a mailbox behind it, and a real browser to look at it."""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.cluster import SUPERUSER, running_cluster
from tests.serving import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / "build" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse battery staple"
OPENSSL = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
SIZES = {"desk": (1280, 900), "phone": (375, 780)}
PATIENCE_SECONDS = 60  # for what comes at once on a machine that is not busy: nothing is judged by how long it takes
PEOPLE = {
    "administrator": ["--administrator"],
    "manager": ["--role=manager", "--organisation=Customer GmbH"],
    "viewer": ["--role=viewer", "--organisation=Customer GmbH"],
    "outsider": ["--role=manager", "--organisation=Other SARL"],
}


@dataclass
class Mailbox:
    """What the platform mailed."""

    messages: list[tuple[list[str], str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message."""
        with self.arrived:
            self.messages.append((envelope.rcpt_tos, envelope.content.decode()))
            self.arrived.notify_all()
        return "250 OK"

    def to(self, address: str, *, holding: str) -> str:
        """The newest message to an address with a text in it; waits for it."""
        found: list[str] = []

        def there() -> bool:
            found[:] = [text for to, text in self.messages if address in to and holding in text]
            return bool(found)

        with self.arrived:
            assert self.arrived.wait_for(there, timeout=PATIENCE_SECONDS), f"No mail to {address} with {holding!r}."
        return found[-1].replace("=\r\n", "").replace("\r\n", "\n")


@dataclass(frozen=True)
class Site:
    """The platform that is served."""

    address: str
    mailbox: Mailbox
    environment: dict[str, str]

    def manage(self, *words: str, stdin: str = "") -> str:
        """What a management command prints."""
        command = [sys.executable, "-m", "art32_platform", *words]
        done = subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    mailbox = Mailbox()
    port, relay_port = free_port(), free_port()
    relay = Controller(mailbox, hostname="127.0.0.1", port=relay_port)
    relay.start()
    try:
        with running_cluster() as database:
            environment = {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PROJECT / "src"),
                "PGHOST": str(database),
                "PGUSER": SUPERUSER,
                "PGDATABASE": "platform",
                "PLATFORM_DOMAIN": "localhost",
                "PLATFORM_PROVIDER": "Provider GmbH",
                "PLATFORM_HELP_ADDRESS": "team@provider.example",
                "PLATFORM_MAIL_RELAY": f"127.0.0.1:{relay_port}",
                "PLATFORM_MAIL_TLS": "none",
                "DJANGO_SECRET_KEY": "only-for-tests-" * 5,
            }
            subprocess.run(["psql", "-Xqd", "postgres", "-c", "CREATE DATABASE platform"], env=environment, check=True)
            made = Site(f"https://localhost:{port}", mailbox, environment)
            furnish(made)
            with behind_tls(folder, port, environment):
                yield made
    finally:
        relay.stop()


def furnish(site: Site) -> None:
    site.manage("migrate", "--noinput", "--verbosity=0")
    for name in ("Customer GmbH", "Other SARL"):
        site.manage("organisation", f"--name={name}")
        contact = [f"--organisation={name}", "--email=paula@customer.example", "--name=Paula Primary"]
        site.manage("training", *contact, "--topic=How to instruct us", "--trained-on=2026-01-31")
    for name, options in PEOPLE.items():
        words = [f"--email={name}@example.test", f"--name={name.title()}", *options, "--password-stdin"]
        site.manage("member", *words, stdin=PASSWORD)


@contextmanager
def behind_tls(folder: Path, port: int, environment: dict[str, str]) -> Iterator[None]:
    """Serve over TLS until the end of the block."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key, certificate, log = folder / "key.pem", folder / "certificate.pem", folder / "gunicorn.log"
    subprocess.run([*OPENSSL, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with served(environment, log, "--threads", "4", "--certfile", certificate, "--keyfile", key, port=port):
        yield
        assert "Internal Server Error" not in log.read_text(), log.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open the platform in a browser of its own; with the name of a person, logged in."""
    opened: list[BrowserContext] = []

    def begin(person: str = "", *, size: str = "desk", scripts: bool = True, path: str = "/") -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=site.address,
            ignore_https_errors=True,
            java_script_enabled=scripts,
            viewport={"width": width, "height": height},
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        opened.append(context)
        page = context.new_page()
        if person:
            log_in(page, person)
        page.goto(path)
        return page

    yield begin
    for context in opened:
        context.close()


def log_in(page: Page, person: str, password: str = PASSWORD) -> None:
    """Type address and password, and wait for what comes after them: the first page, or the question for a code."""
    page.goto("/login/")
    page.locator("main").get_by_label("E-mail address").fill(person if "@" in person else f"{person}@example.test")
    page.get_by_label("Password").fill(password)
    follow(page.get_by_role("button", name="Log in"))
    expect(page).not_to_have_url(re.compile(r"/login/$"))


def follow(link: Locator) -> None:
    """Click what leads to another page, and wait until that is there."""
    with link.page.expect_navigation():
        link.click()


def code_of(key: str, *, later: int = 0) -> str:
    """The code of an authenticator with this key in base 32 (RFC 6238)."""
    text = re.sub(r"\s", "", key)
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30 + later), "sha1").digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def inspect(page: Page, name: str) -> None:
    """Leave a picture of a page that is there whole, and demand that it is accessible and as wide as the screen."""
    page.wait_for_load_state()
    page.evaluate("document.fonts.ready.then(() => null)")
    page.screenshot(path=str(PICTURES / f"{name}.png"), full_page=True)
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen, f"{name} is {wide} pixels wide on a screen of {screen}"
    found = [
        f"{violation['id']}: {violation['help']}: {[node['html'][:150] for node in violation['nodes']]}"
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]
    assert not found, f"{name}: " + json.dumps(found, indent=1)
