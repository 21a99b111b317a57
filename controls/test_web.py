"""TLS-1 and LOG-2: what a visitor is served, and what is written down about it."""

from __future__ import annotations

import re
import secrets
import ssl
from typing import TYPE_CHECKING

import pytest

from . import declared as release
from .judges import logs, units
from .marks import control, not_assessed
from .sources import ACCESS_LOG, LATER, fill
from .web import Client, TlsError
from .words import counted

if TYPE_CHECKING:
    from datetime import datetime

    from .environment import Environment
    from .machine import Machine

HALF_A_YEAR = 15768000  # seconds; what preloading lists and scanners ask of HSTS at least
CURRENT = ("TLSv1.2", "TLSv1.3")
LOGGING = ("*logrotate*",)
RENEWAL_OVERDUE = 0.25  # certbot renews when a third of the lifetime is left


@pytest.fixture
def sites(web: Machine, visitor: Machine, declaration: Environment) -> list[Client]:
    """Every declared service, at every address of the host."""
    return clients(web, visitor, declaration)


@control("TLS-1")
def test_served_chain_leads_to_a_trusted_root(web: Machine, sites: list[Client]) -> None:
    for site in sites:
        try:
            site.get("/")
        except TlsError as error:
            raise AssertionError(str(error)) from error


@control("TLS-1")
def test_renewal_is_not_overdue(web: Machine, sites: list[Client], now: datetime) -> None:
    for site in sites:
        left, whole = site.get("/").lifetime(now)
        assert left > whole * RENEWAL_OVERDUE, f"{site}: {left:.0f} of {whole:.0f} days are left; renewal is overdue."


@control("TLS-1")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # old versions are tried on purpose
def test_only_current_protocols_are_served(web: Machine, sites: list[Client]) -> None:
    for site in sites:
        agreed = site.handshake(ssl.TLSVersion.TLSv1_3)
        assert agreed in CURRENT, f"{site} agrees on {agreed or 'no TLS at all'}."
        archaic = site.handshake(ssl.TLSVersion.TLSv1_1)
        assert not archaic, f"{site} still agrees on {archaic}."


@control("TLS-1")
def test_browsers_are_told_to_insist_on_https(web: Machine, sites: list[Client]) -> None:
    for site in sites:
        header = site.get("/").headers.get("Strict-Transport-Security", "")
        found = re.search(r"max-age=(\d+)", header)
        assert found, f"{site} does not send HSTS."
        assert int(found[1]) >= HALF_A_YEAR, f"{site} sends HSTS for less than half a year: {header}."


@control("TLS-1")
def test_plain_http_only_redirects(web: Machine, visitor: Machine, declaration: Environment) -> None:
    for site in clients(web, visitor, declaration, tls=False):
        for path in ("/", "/admin/"):
            reply = site.get(path)
            told = f"Plain HTTP for {path} of {site} is answered with {reply.status} {reply.location}"
            assert reply.status in (301, 308), f"{told}, no permanent redirect."
            assert reply.location == f"https://{site.domain}{path}", f"{told}, not the same page over HTTPS."
        challenge = site.get("/.well-known/acme-challenge/none")
        assert challenge.status in (301, 308, 404), f"An unknown challenge is answered with {challenge.status}."


@control("LOG-2")
def test_request_made_now_is_in_the_log(web: Machine, visitor: Machine, declaration: Environment) -> None:
    mark = secrets.token_hex(8)
    paths = {service["domain"]: [*service["admin_paths"], "/"][0] for service in declaration.services}
    sites = clients(web, visitor, declaration, trust=True)
    statuses = [site.get(f"{paths[site.domain]}?audit={mark}").status for site in sites]
    written = web.fetch("log-of-own-requests", fill(LATER["log-of-own-requests"], mark=mark))
    entries = logs.parse_all(written.stdout)
    assert len(entries) == len(sites), f"{len(sites)} requests were made, {len(entries)} are in {ACCESS_LOG}."
    assert [entry.status for entry in entries] == statuses, f"{ACCESS_LOG} has other statuses than were answered."
    strangers = {entry.client for entry in entries} - set(visitor.addresses)
    assert not strangers, f"{ACCESS_LOG} names {', '.join(strangers)} as the client, not the visitor."


@control("LOG-2")
def test_logs_are_kept_as_long_as_declared(web: Machine) -> None:
    declared = web.variable("nginx_log_retention_days")
    kept = logs.kept_days(web.observed("nginx-logrotate").text)
    assert kept == declared, f"logrotate keeps {counted(kept, 'day')}; declared: {declared} (nginx_log_retention_days)."
    timer = web.observed("logrotate-timer").text.split()
    assert timer == ["active", "enabled"], f"logrotate.timer is {' and '.join(timer)}; logs would be kept for ever."


@control("LOG-2")
def test_oldest_log_is_no_older_than_declared(web: Machine, now: datetime) -> None:
    declared = web.variable("nginx_log_retention_days")
    found = logs.overdue(web.observed("nginx-log-ages").text, declared, now)
    assert not found, f"Logs older than {declared} days (nginx_log_retention_days) are still there: {', '.join(found)}."


def clients(web: Machine, visitor: Machine, declaration: Environment, **options: bool) -> list[Client]:
    """A client for every declared service at every address of a host."""
    domains = [service["domain"] for service in declaration.services]
    if not domains:
        not_assessed("no service is declared")
    return [Client(visitor, address, domain, **options) for domain in domains for address in web.addresses]


@control("TLS-1")
@pytest.mark.usefixtures("ours")
def test_web_server_and_renewal_are_set_up_as_declared(web: Machine) -> None:
    found = release.problems(web, "nginx", without=LOGGING) + release.problems(web, "certbot")
    assert not found, f"What serves HTTPS, or renews its certificates, was changed: {'; '.join(found)}."


@control("TLS-1")
def test_web_server_has_read_its_settings(web: Machine) -> None:
    file = units.unread(web.observed("nginx-read").text)
    assert not file, f"nginx runs with older settings than {file}; what it serves may be none of its files."


@control("TLS-1")
@pytest.mark.usefixtures("ours")
def test_certificates_are_renewed_and_their_keys_are_roots_alone(web: Machine, declaration: Environment) -> None:
    lines = [line.split() for line in web.observed("certificates-kept").text.splitlines()]
    wanted = {service["domain"] for service in declaration.services_on(web.name)}
    missing = sorted(wanted - {words[1] for words in lines if words[0] == "kept"})
    wanted_from = web.variable("certbot_directory_url")
    given = [words[1:] for words in lines if words[0] == "given"]
    other = [f"{name} has {' '.join(rest)}" for name, *rest in given if rest != ["server", wanted_from]]
    off = [words[1] for words in lines if words[0] == "unrenewed"]
    loose = [
        path
        for kind, mode, owner, path in (line for line in lines if line[0] == "key")
        if (mode, owner) != ("600", "0")
    ]
    found = [f"certbot keeps none for {name}" for name in missing]
    found += other + [f"{name} is not renewed" for name in off] + [f"{path} is not root's alone" for path in loose]
    assert not found, f"Certificates are not kept as they have to be: {'; '.join(found)}."


@control("LOG-2")
@pytest.mark.usefixtures("ours")
def test_rotation_is_set_up_as_declared(web: Machine) -> None:
    found = release.problems(web, "nginx", only=LOGGING)
    assert not found, f"What keeps the log, and for how long, was changed: {'; '.join(found)}."
