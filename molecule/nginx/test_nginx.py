"""What a visitor meets at nginx, over both families, and what nginx writes down."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from web_client import Answer, ask, handshake

if TYPE_CHECKING:
    from controls.machine import Machine

NAME = "platform.example.test"
HSTS = "max-age=63072000"
COMBINED = re.compile(
    r'^(?P<address>\S+) - (?P<account>\S+) \[[^\]]+\] "(?P<request>[^"]*)" (?P<status>\d{3}) \d+ "[^"]*" "[^"]*"$'
)


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def address(request: pytest.FixtureRequest, server: Machine) -> str:
    return str(server.addresses[request.param])


def get(visitor: Machine, path: str, address: str, *, name: str = NAME) -> Answer:
    """Over TLS; nginx has its placeholder here, which nobody vouches for."""
    return ask(visitor, f"https://{name}{path}", address, "--insecure")


def log_line(server: Machine, path: str) -> re.Match[str]:
    """The one line of the standard log file about a request for this path."""
    for _ in range(20):
        lines = [line for line in server.file("/var/log/nginx/access.log").content_string.splitlines() if path in line]
        if lines:
            break
        time.sleep(0.1)
    assert len(lines) == 1, lines
    found = COMBINED.match(lines[0])
    assert found, lines[0]
    return found


@pytest.fixture
def path() -> str:
    """Part of a path that no other request has."""
    return f"t{time.monotonic_ns()}"


def test_plain_http_only_redirects(visitor: Machine, address: str) -> None:
    answer = ask(visitor, f"http://{NAME}/page?x=1", address)
    assert (answer.status, answer.headers["location"]) == (301, [f"https://{NAME}/page?x=1"])


def test_plain_http_answers_challenges(visitor: Machine, address: str) -> None:
    answer = ask(visitor, f"http://{NAME}/.well-known/acme-challenge/token", address)
    assert (answer.status, answer.body) == (200, "the answer")
    assert ask(visitor, f"http://{NAME}/.well-known/acme-challenge/other", address).status == 404


@pytest.mark.parametrize("status", [200, 301, 404, 500])
def test_every_status_has_hsts_once(visitor: Machine, address: str, status: int) -> None:
    answer = get(visitor, f"/status/{status}", address)
    assert (answer.status, answer.headers["strict-transport-security"]) == (status, [HSTS])


def test_a_service_that_does_not_answer_has_a_page(visitor: Machine, address: str) -> None:
    answer = get(visitor, "/", address, name="silent.example.test")
    assert (answer.status, answer.headers["strict-transport-security"]) == (502, [HSTS])
    assert "Back in a moment" in answer.body


def test_unknown_names_get_neither_certificate_nor_content(visitor: Machine, address: str) -> None:
    assert "BEGIN CERTIFICATE" in handshake(visitor, NAME, address)
    refused = handshake(visitor, "unknown.example.test", address)
    assert "unrecognized name" in refused
    assert "BEGIN CERTIFICATE" not in refused
    # 52: closed without a word; 56: by a reset.
    assert ask(visitor, "http://unknown.example.test/", address).code in (52, 56)


@pytest.mark.parametrize(
    ("option", "accepted"), [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]
)
def test_tls_versions(visitor: Machine, address: str, option: str, accepted: bool) -> None:
    # The client's own policy must not be what refuses.
    said = handshake(visitor, NAME, address, option, "-cipher", "ALL:@SECLEVEL=0")
    assert ("Cipher is (NONE)" not in said and "BEGIN CERTIFICATE" in said) is accepted


def test_the_key_exchange_is_post_quantum_where_openssl_has_it(server: Machine, visitor: Machine, address: str) -> None:
    said = handshake(visitor, NAME, address)
    group = "X25519MLKEM768" if server.system_info.codename == "trixie" else "X25519,"
    assert re.search(rf"(Negotiated TLS1.3 group|(Peer|Server) Temp Key): {group}", said), said


def test_http_2_is_spoken(visitor: Machine, address: str) -> None:
    assert get(visitor, "/status/200", address).version == "2"


def test_the_account_stands_in_the_standard_log_line(
    server: Machine, visitor: Machine, address: str, path: str
) -> None:
    answer = get(visitor, f"/account/jane+{path}@example.test", address)
    assert "x-account" not in answer.headers
    line = log_line(server, path)
    assert line["account"] == f"jane+{path}@example.test"
    assert (line["address"], line["status"]) == (visitor.addresses[":" in address], "200")


def test_each_service_has_a_header_of_its_own(server: Machine, visitor: Machine, path: str) -> None:
    answer = get(visitor, f"/account/jo+{path}", server.addresses[0], name="second.example.test")
    assert "x-member" not in answer.headers
    assert log_line(server, path)["account"] == f"jo+{path}"


@pytest.mark.parametrize(("account", "logged"), [("", "-"), ("a%20b%20%5Bc%5D", "malformed"), ("%22x", r"\x22x")])
def test_an_account_cannot_shift_the_fields(server: Machine, visitor: Machine, account: str, logged: str) -> None:
    get(visitor, f"/account/{account}", server.addresses[0])
    last = server.file("/var/log/nginx/access.log").content_string.splitlines()[-1]
    found = COMBINED.match(last)
    assert found, last
    assert found["account"] == logged


def test_what_the_client_claims_about_itself_is_not_passed_on(server: Machine, visitor: Machine) -> None:
    claims = ["X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Account: root", "Forwarded: for=192.0.2.1"]
    options = [word for claim in [*claims, "X-Forwarded-Proto: http"] for word in ("-H", claim)]
    answer = ask(visitor, f"https://{NAME}/headers", server.addresses[0], "--insecure", *options)
    seen = json.loads(answer.body)
    assert "192.0.2.1" not in answer.body
    assert "X-Account" not in seen
    assert (seen["X-Forwarded-For"], seen["X-Real-IP"]) == (visitor.addresses[0],) * 2
    assert (seen["X-Forwarded-Proto"], seen["Host"]) == ("https", NAME)


def test_a_body_beyond_the_limit_is_refused(server: Machine, visitor: Machine) -> None:
    visitor.run("truncate -s 10M /tmp/allowed; truncate -s 11M /tmp/large")
    url = f"https://{NAME}/status/200"
    options = ("--insecure", "-H", "Expect:", "--data-binary")
    assert ask(visitor, url, server.addresses[0], *options, "@/tmp/large").status == 413
    assert ask(visitor, url, server.addresses[0], *options, "@/tmp/allowed").status != 413


def test_nginx_does_not_tell_its_version(server: Machine, visitor: Machine) -> None:
    assert get(visitor, "/status/200", server.addresses[0]).headers["server"] == ["nginx"]


def test_what_nginx_runs_has_no_tickets_and_no_stapling(server: Machine) -> None:
    effective = server.check_output("nginx -T -q")
    assert "ssl_session_tickets off;" in effective
    assert "stapling on" not in effective
    assert "default_server" in effective
    assert "/var/www/html" not in effective


def rotated(server: Machine, days: int) -> str:
    """A compressed log file from so many days ago."""
    date = server.check_output(f"date -d '-{days} days' +%Y%m%d")
    file = f"/var/log/nginx/access.log-{date}.gz"
    server.check_output(f"gzip </dev/null >{file} && touch -d '-{days} days' {file}")
    return file


def test_logs_are_kept_as_long_as_declared_and_no_longer(server: Machine) -> None:
    server.check_output("rm -f /var/log/nginx/*.log-*")
    old, kept = rotated(server, 367), rotated(server, 364)
    server.check_output("logrotate --force /etc/logrotate.d/nginx")
    assert not server.file(old).exists
    assert server.file(kept).exists
    assert "after 1 days" in server.run("logrotate --debug /etc/logrotate.d/nginx").stderr
    assert server.service("logrotate.timer").is_enabled


def test_nginx_writes_on_after_a_rotation(server: Machine, visitor: Machine, path: str) -> None:
    server.check_output("rm -f /var/log/nginx/*.log-*; logrotate --force /etc/logrotate.d/nginx")
    get(visitor, f"/account/after+{path}", server.addresses[0])
    assert log_line(server, path)["account"] == f"after+{path}"
    log = server.file("/var/log/nginx/access.log")
    assert (log.user, log.group, log.mode) == ("www-data", "adm", 0o640)


def test_nginx_comes_back_and_alarms(server: Machine) -> None:
    assert server.service("nginx").is_enabled
    told = server.check_output("systemctl show nginx.service -P OnFailure -P Restart")
    assert "art32-alert@nginx.service.service" in told
    assert "on-failure" in told
