"""What is issued: several names and certificates, a wildcard, profiles; and what is refused before it is tried."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from directory import NAME, journal, newest_serial, renew, served_serial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from directory import Directory, Module

    from controls.machine import Machine

LOG = "/var/lib/letsencrypt/art32-issued.jsonl"


@pytest.fixture
def names(visitor: Machine, server: Machine) -> Iterator[Callable[[str, object], None]]:
    """A name server of the tests alone, which the server asks: its answers are set by pebble-challtestsrv."""
    unit = "--unit=challenge-names --collect"
    quiet = "-http01= -https01= -tlsalpn01= -doh= -management=127.0.0.1:8055"
    defaults = f"-defaultIPv4 {server.addresses[0]} -defaultIPv6 {server.addresses[1]}"
    visitor.check_output(f"sudo systemd-run {unit} pebble-challtestsrv -dnsserver=:53 {quiet} {defaults}")

    def tell(what: str, **told: object) -> None:
        visitor.check_output(
            "curl -sf --retry 20 --retry-connrefused --retry-delay 1 --data %s http://127.0.0.1:8055/%s",
            json.dumps(told),
            what,
        )

    acme = server.check_output("getent ahosts acme.example.test | awk '{print $1}' | sort -u").split()
    server.check_output("cp /etc/resolv.conf /run/resolv.conf.before")
    try:
        for address in acme:
            tell("add-aaaa" if ":" in address else "add-a", host="acme.example.test.", addresses=[address])
        server.check_output(f"echo nameserver {visitor.addresses[0]} >/etc/resolv.conf")
        yield tell
    finally:
        server.run("cat /run/resolv.conf.before >/etc/resolv.conf")
        visitor.run("sudo systemctl stop challenge-names.service")


def names_in(server: Machine, name: str) -> set[str]:
    """The names that a certificate of the server's is for."""
    shown = server.check_output(f"openssl x509 -noout -ext subjectAltName -in /etc/letsencrypt/live/{name}/cert.pem")
    return {word.strip(",").removeprefix("DNS:") for word in shown.split("\n")[-1].split()}


def test_each_service_has_a_certificate_for_all_of_its_names(server: Machine, visitor: Machine) -> None:
    assert names_in(server, NAME) == {NAME, f"www.{NAME}"}
    assert names_in(server, "second.example.test") == {"second.example.test"}
    for name in (NAME, "second.example.test"):
        assert served_serial(visitor, server, name) == newest_serial(server, name)


def test_a_wildcard_is_proved_by_dns_and_served(server: Machine, visitor: Machine, directory: Directory) -> None:
    name = "wild.example.test"
    assert names_in(server, name) == {name, f"*.{name}"}
    for served in (name, f"anything.{name}"):
        assert served_serial(visitor, server, served) == newest_serial(server, name)
    renewal = server.file(f"/etc/letsencrypt/renewal/{name}.conf").content_string
    assert "authenticator = dns-rfc2136" in renewal
    # Nothing is left in the zone, and the key is for root alone.
    assert "_acme-challenge" not in directory.says("knotc zone-read example.test")
    assert server.file("/etc/letsencrypt/rfc2136.ini").mode == 0o600


def test_a_wildcard_is_renewed_by_the_timer(server: Machine, visitor: Machine, directory: Directory) -> None:
    name = "wild.example.test"
    before = newest_serial(server, name)
    directory.ask_to_renew(server.check_output(f"cat /etc/letsencrypt/live/{name}/cert.pem"))
    server.check_output("sed -i '/^ari_retry_after/d' /etc/letsencrypt/renewal/*.conf")
    assert renew(server) == 0, journal(server)
    assert newest_serial(server, name) != before
    assert served_serial(visitor, server, name) == newest_serial(server, name)


def test_a_certificate_is_renewed_when_the_directory_asks_for_it(
    server: Machine, visitor: Machine, directory: Directory
) -> None:
    before = newest_serial(server)
    # certbot asks as often as the directory told it to; this one has been asked just now by other tests.
    server.check_output("sed -i '/^ari_retry_after/d' /etc/letsencrypt/renewal/*.conf")
    directory.ask_to_renew(server.check_output(f"cat /etc/letsencrypt/live/{NAME}/cert.pem"))
    others = newest_serial(server, "second.example.test")
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) != before
    assert served_serial(visitor, server) == newest_serial(server)
    assert newest_serial(server, "second.example.test") == others


def test_what_was_issued_and_renewed_is_written_down(server: Machine) -> None:
    entries = [json.loads(line) for line in server.check_output(f"cat {LOG}").splitlines()]
    assert {"issued", "renewed"} <= {entry["outcome"] for entry in entries}
    assert {entry["directory"] for entry in entries} == {server.variable("certbot_directory_url")}
    issued = [entry for entry in entries if entry["outcome"] == "issued" and NAME in entry["names"]]
    assert len(issued) == 1
    assert set(issued[0]["names"]) == {NAME, f"www.{NAME}"}


# What is laid down in DNS for a name, and what is said of it. The record of a domain above counts as well.
RECORDS = {
    "nobody.example.test": ([("issue", ";")], 'nobody.example.test (issue ";") forbids'),
    "below.nobody.example.test": ([], 'nobody.example.test (issue ";") forbids'),
    "other.example.test": ([("issue", "ca.example")], '(issue "ca.example") forbids pebble.letsencrypt.org'),
    "dns.example.test": ([("issue", "pebble.letsencrypt.org; validationmethods=dns-01")], "by http-01"),
    "both.example.test": ([("issue", "ca.example"), ("issue", "pebble.letsencrypt.org")], ""),
    "mail.example.test": ([("iodef", "mailto:security@example.test")], ""),
    "none.example.test": ([], ""),
}


def test_all_that_dns_says_against_a_name_is_told(
    names: Callable[..., None], server: Machine, visitor: Machine, ask: Module
) -> None:
    names("set-default-ipv6", ip="")
    names("add-a", host="elsewhere.example.test.", addresses=[visitor.addresses[0]])
    for name, (records, _) in RECORDS.items():
        if records:
            policies = [{"tag": tag, "value": value} for tag, value in records]
            names("add-caa", host=f"{name}.", policies=policies)
    told = ask(domains=["half.example.test", "elsewhere.example.test"], addresses=server.addresses)["msg"]
    assert f"half.example.test has no AAAA record: set it to {server.addresses[1]}" in told
    assert f"elsewhere.example.test leads to {visitor.addresses[0]}, which is not this host" in told
    # Without addresses, where port 80 leads is asked: one name leads to another host, the rest to no site here.
    problems = ask(domains=["elsewhere.example.test", *RECORDS])["msg"].split("; the CAA record of ")
    assert f"port 80 of elsewhere.example.test does not answer at {visitor.addresses[0]}" in problems[0]
    for name, (_, says) in RECORDS.items():
        found = [problem for problem in problems[1:] if f"issue for {name} " in problem]
        assert bool(found) is bool(says), problems
        assert says in "".join(found)


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("issued", "5 certificates for exactly second.example.test within 7 days, 5 are allowed"),
        ("failed", "5 failed tries for second.example.test within 1 h, 5 are allowed"),
    ],
)
def test_lets_encrypts_limits_are_kept_by_the_own_log(server: Machine, ask: Module, outcome: str, says: str) -> None:
    name = "second.example.test"
    now, url = server.check_output("date -u +%Y-%m-%dT%H:%M:%S+00:00"), server.variable("certbot_directory_url")
    entry = json.dumps({"time": now, "directory": url, "names": [name], "outcome": outcome})
    server.check_output(f"cp -a {LOG} {LOG}.kept")
    try:
        server.check_output("for i in 1 2 3 4 5; do printf '%%s\\n' %s; done >%s", entry, LOG)
        before = newest_serial(server, name)
        refused = ask(certificates=[{"name": name, "key_type": "rsa"}])
        assert says in refused["msg"]
        assert "wait until" in refused["msg"]
        assert newest_serial(server, name) == before
    finally:
        server.check_output(f"mv {LOG}.kept {LOG}")
