"""The way to the relay: encrypted, to the right one, or not at all. Real relays on the loopback."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import SMTP
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command

from art32_platform import settings as real
from art32_platform.accounts.links import ask_for
from art32_platform.accounts.models import Link, Purpose
from art32_platform.helpdesk.models import HelpRequest
from art32_platform.mail import state

from .test_serving import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from .conftest import World

# What a relay offers: its certificate, and whether TLS begins with the first byte.
OFFERS = {"starttls": ("relay", False), "tls": ("relay", True), "nothing": ("", False), "stranger": ("stranger", False)}
AUTHORITY = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]


@dataclass
class Relay:
    """A mail server, and what it was handed by which protocol."""

    port: int = 0
    taken: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        tls = server.transport.get_extra_info("ssl_object")
        self.taken.append((tls.version() if tls else "", envelope.content.decode()))
        return "250 OK"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with a relay at `localhost`, and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("relay", "stranger"):
        certify(folder, f"{name}-ca", f"/CN=Authority of {name}", *AUTHORITY)
        names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
        certify(folder, name, "/CN=localhost", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key", *names)
    return folder


def certify(folder: Path, name: str, subject: str, *options: str) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject, *options]
    command = [*made, "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def relay(request: pytest.FixtureRequest, certificates: Path, settings: SettingsWrapper) -> Iterator[Relay]:
    """The relay that the platform is told to use; the parameter is what it offers."""
    certificate, at_once = OFFERS[request.param]
    made, loop = Relay(), asyncio.new_event_loop()
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates / f"{certificate}.pem", certificates / f"{certificate}.key")

    def protocol() -> SMTP:
        return SMTP(made, loop=loop, tls_context=None if at_once else context)

    server = loop.run_until_complete(
        loop.create_server(protocol, "127.0.0.1", 0, ssl=context if at_once else None),
    )
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    settings.EMAIL_BACKEND, settings.PLATFORM_MAIL_CA = real.EMAIL_BACKEND, str(certificates / "relay-ca.pem")
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", made.port
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = at_once, not at_once
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.mark.parametrize("relay", ["starttls", "tls"], indirect=True)
def test_mail_goes_over_tls_to_the_relay_that_is_vouched_for(relay: Relay) -> None:
    EmailMessage(subject="Hello", to=["team@provider.example"]).send()
    [(version, text)] = relay.taken
    assert version in ("TLSv1.2", "TLSv1.3")
    assert "Subject: Hello" in text


@pytest.mark.parametrize(
    ("relay", "reason"),
    [
        pytest.param("nothing", "STARTTLS extension not supported by server", id="no TLS"),
        pytest.param("stranger", "certificate verify failed", id="a stranger's certificate"),
    ],
    indirect=["relay"],
)
def test_another_relay_is_handed_nothing_and_the_job_fails_with_the_reason(
    world: World, relay: Relay, reason: str
) -> None:
    ask_for(world.people["viewer"], Purpose.RESET, by="test")
    HelpRequest.objects.create(email="ada@customer.example", message="Where is the list?", origin="198.51.100.7")
    with pytest.raises(CommandError) as failed:
        call_command("deliver", verbosity=0)
    assert not relay.taken
    said = str(failed.value)
    assert reason in said
    assert "Links could not be mailed through localhost" in said
    assert "Help could not be mailed through localhost" in said
    assert not Link.objects.get().mailed_at
    assert not HelpRequest.objects.get().mailed_at


@pytest.mark.parametrize("relay", ["starttls"], indirect=True)
def test_certificate_for_another_name_is_none(relay: Relay, settings: SettingsWrapper) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        EmailMessage(subject="Hello", to=["team@provider.example"]).send()
    assert not relay.taken


@pytest.mark.parametrize("relay", ["nothing"], indirect=True)
def test_mail_goes_in_the_clear_where_that_is_said(relay: Relay, settings: SettingsWrapper) -> None:
    settings.EMAIL_USE_TLS = False
    EmailMessage(subject="Hello", to=["team@provider.example"]).send()
    assert [version for version, _ in relay.taken] == [""]


@pytest.mark.parametrize(
    ("relay", "problem"),
    [("starttls", ""), ("nothing", "STARTTLS extension not supported by server"), ("stranger", "verify failed")],
    indirect=["relay"],
)
def test_conformance_tells_what_the_relay_just_said(relay: Relay, problem: str) -> None:
    told = state()
    assert (told["relay"], told["tls"], told["answered"]) == (f"localhost:{relay.port}", "verified", True)
    assert problem in str(told["problem"])
    assert bool(told["problem"]) == bool(problem)


@pytest.mark.parametrize(
    ("relay", "said", "begins"),
    [
        ("relay.example:25", "", ["starttls"]),
        ("relay.example:587", "verified", ["starttls"]),
        ("relay.example:465", "verified", ["tls"]),
        ("relay.example:25", "none", []),
    ],
)
def test_tls_is_the_default_and_the_port_says_how_it_begins(relay: str, said: str, begins: list[str]) -> None:
    asked = "from art32_platform.settings import *; import json; print(json.dumps([EMAIL_USE_TLS, EMAIL_USE_SSL]))"
    told = {"PLATFORM_MAIL_RELAY": relay, "PLATFORM_MAIL_TLS": said}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), **told}
    answer = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == ["starttls" in begins, "tls" in begins]
