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
HSTS = "max-age=63072000; includeSubDomains"
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


@pytest.mark.parametrize(
    ("status", "path", "options"),
    [
        (403, "/files/leak", []),
        (404, "/files/none", []),
        (405, "/", ["-X", "TRACE"]),
        (414, f"/{'x' * 9000}", ["--http1.1"]),
    ],
)
def test_what_nginx_itself_answers_has_hsts(
    server: Machine, visitor: Machine, status: int, path: str, options: list[str]
) -> None:
    answer = ask(visitor, f"https://{NAME}{path}", server.addresses[0], "--insecure", *options)
    assert (answer.status, answer.headers["strict-transport-security"]) == (status, [HSTS])


def test_a_service_that_does_not_answer_has_a_page(visitor: Machine, address: str) -> None:
    answer = get(visitor, "/", address, name="silent.example.test")
    assert (answer.status, answer.headers["strict-transport-security"]) == (502, [HSTS])
    assert "Back in a moment" in answer.body


def test_a_further_name_leads_to_the_domain(visitor: Machine, address: str) -> None:
    for scheme in ("http", "https"):
        answer = ask(visitor, f"{scheme}://www.{NAME}/page?x=1", address, "--insecure")
        assert (answer.status, answer.headers["location"]) == (301, [f"https://{NAME}/page?x=1"])
    assert answer.headers["strict-transport-security"] == [HSTS]
    said = handshake(visitor, f"www.{NAME}", address)
    assert "BEGIN CERTIFICATE" in said


def test_static_files_are_served_and_nothing_beside_them(server: Machine, visitor: Machine) -> None:
    address = server.addresses[0]
    answer = get(visitor, "/files/style.css", address)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, "body {}", ["text/css"])
    assert answer.headers["strict-transport-security"] == [HSTS]
    assert get(visitor, "/files/leak", address).status == 403


def test_a_location_of_its_own_stands_before_the_service(server: Machine, visitor: Machine) -> None:
    answer = get(visitor, "/elsewhere/", server.addresses[0])
    assert (answer.status, answer.headers["strict-transport-security"]) == (200, [HSTS])
    assert json.loads(answer.body)["X-Extra"] == "yes"
    assert get(visitor, "/status/404", server.addresses[0]).body == "status 404\n"


def test_what_a_service_says_of_its_pages_stands(server: Machine, visitor: Machine) -> None:
    told = {"x-content-type-options", "referrer-policy", "x-frame-options"}
    theirs = get(visitor, "/own", server.addresses[0]).headers
    assert {name: theirs[name] for name in told & theirs.keys()} == {
        "x-content-type-options": ["nosniff"],
        "referrer-policy": ["no-referrer"],
    }
    ours = get(visitor, "/status/404", server.addresses[0]).headers
    assert {name: ours[name] for name in told & ours.keys()} == {
        "x-content-type-options": ["nosniff"],
        "referrer-policy": ["strict-origin-when-cross-origin"],
        "x-frame-options": ["SAMEORIGIN"],
    }


def test_one_address_logs_in_only_so_often(server: Machine, visitor: Machine) -> None:
    server.check_output("systemctl restart nginx")  # it counts in memory, and counts from nothing now
    url, address = f"https://{NAME}/status/200", server.addresses[0]
    answers = [ask(visitor, url, address, "--insecure", "-d", "x=1") for _ in range(8)]
    assert [answer.status for answer in answers[:3]] == [200] * 3
    assert answers[-1].status == 429
    assert answers[-1].headers["retry-after"] == ["60"]
    assert answers[-1].headers["strict-transport-security"] == [HSTS]
    assert "Too many requests" in answers[-1].body
    # Reading the page is not trying, and other pages are not this one; the other family is another address.
    assert ask(visitor, url, address, "--insecure").status == 200
    assert ask(visitor, f"https://{NAME}/status/201", address, "--insecure", "-d", "x=1").status == 201
    assert ask(visitor, url, server.addresses[1], "--insecure", "-d", "x=1").status == 200


def test_one_address_has_only_so_many_answers_at_a_time(server: Machine, visitor: Machine) -> None:
    def at_once(number: int) -> list[str]:
        url = f"https://{NAME}/slow/1?[1-{number}]"
        connect = f"{NAME}::{server.addresses[0]}:"
        command = f"curl -skZ --parallel-immediate --parallel-max {number} --connect-to {connect} -o /dev/null"
        return str(visitor.check_output(f"{command} -w '%{{http_code}}\\n' '{url}'")).split()

    assert set(at_once(15)) == {"200"}
    assert set(at_once(40)) == {"200", "429"}


DAWDLE = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
plain = socket.create_connection((sys.argv[1], 443), timeout=60)
client = context.wrap_socket(plain, server_hostname=sys.argv[2])
client.sendall(sys.argv[3].encode())
try:
    print(len(client.recv(1)))
except ConnectionResetError:
    print(0)
"""


@pytest.mark.parametrize("ends", ["", "\r\nContent-Length: 9\r\n\r\nhalf"], ids=["headers", "body"])
def test_a_client_that_dawdles_is_let_go_without_an_answer(server: Machine, visitor: Machine, ends: str) -> None:
    words = f"POST /status/201 HTTP/1.1\r\nHost: {NAME}{ends}"
    said = visitor.check_output("python3 -c %s %s %s %s", DAWDLE, server.addresses[0], NAME, words)
    assert said == "0"
    whole = f"GET /status/201 HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
    assert visitor.check_output("python3 -c %s %s %s %s", DAWDLE, server.addresses[0], NAME, whole) == "1"


def test_a_service_in_maintenance_says_so(server: Machine, visitor: Machine) -> None:
    address = server.addresses[0]
    server.check_output("art32-maintenance on platform")
    try:
        answer = get(visitor, "/status/200", address)
        assert (answer.status, answer.headers["retry-after"]) == (503, ["300"])
        assert answer.headers["strict-transport-security"] == [HSTS]
        assert "Nothing is lost" in answer.body
        assert server.check_output("art32-maintenance") == "platform"
        assert get(visitor, "/status/200", address, name="second.example.test").status == 200
    finally:
        server.check_output("art32-maintenance off platform")
    assert get(visitor, "/status/200", address).status == 200
    assert get(visitor, "/status/503", address).body == "status 503\n"
    assert server.run("art32-maintenance on nothing").rc == 2


@pytest.mark.parametrize(("name", "status"), [("second.example.test", "101"), (NAME, "426")])
def test_a_connection_may_become_a_websocket_where_a_service_can(
    server: Machine, visitor: Machine, name: str, status: str
) -> None:
    words = f"GET /echo HTTP/1.1\\r\\nHost: {name}\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n"
    client = f"openssl s_client -quiet -connect {server.addresses[0]}:443 -servername {name} 2>/dev/null"
    said = visitor.run(f"(printf '{words}'; sleep 1; printf 'a line\\n'; sleep 1) | timeout 10 {client}").stdout
    assert said.startswith(f"HTTP/1.1 {status}"), said
    assert ("a line" in said) is (status == "101")


def test_nginx_is_shut_in(server: Machine) -> None:
    judged = server.run("systemd-analyze security --no-pager --threshold=30 nginx.service")
    assert judged.rc == 0, judged.stdout


def test_unknown_names_get_neither_certificate_nor_content(visitor: Machine, address: str) -> None:
    assert "BEGIN CERTIFICATE" in handshake(visitor, NAME, address)
    refused = handshake(visitor, "unknown.example.test", address)
    assert "unrecognized name" in refused
    assert "BEGIN CERTIFICATE" not in refused
    # 35: no handshake, for whoever names an address alone. 52: closed without a word; 56: by a reset.
    assert ask(visitor, f"https://{f'[{address}]' if ':' in address else address}/", address, "--insecure").code == 35
    assert ask(visitor, "http://unknown.example.test/", address).code in (52, 56)
    # Nor does an own name in the handshake get another one's content.
    other = ("--insecure", "--http1.1", "-H", "Host: unknown.example.test")
    assert ask(visitor, f"https://{NAME}/", address, *other).code in (52, 56)


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


@pytest.mark.parametrize("place", ["/headers", "/plain/", "/elsewhere/"])
def test_what_the_client_claims_about_itself_is_not_passed_on(server: Machine, visitor: Machine, place: str) -> None:
    claims = ["X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Account: root", "Forwarded: for=192.0.2.1"]
    options = [word for claim in [*claims, "X-Forwarded-Proto: http"] for word in ("-H", claim)]
    answer = ask(visitor, f"https://{NAME}{place}", server.addresses[0], "--insecure", *options)
    seen = json.loads(answer.body)
    assert "192.0.2.1" not in answer.body
    assert "X-Account" not in seen
    assert (seen["X-Forwarded-For"], seen["X-Real-IP"]) == (visitor.addresses[0],) * 2
    assert (seen["X-Forwarded-Proto"], seen["Host"]) == ("https", NAME)


def test_a_location_may_say_a_header_otherwise(server: Machine, visitor: Machine) -> None:
    seen = json.loads(get(visitor, "/named/", server.addresses[0]).body)
    assert (seen["host"], seen["X-Real-IP"]) == ("other.example.test", visitor.addresses[0])
    assert "Host" not in seen


def test_a_location_that_hides_a_header_keeps_the_account_from_the_client(
    server: Machine, visitor: Machine, path: str
) -> None:
    answer = get(visitor, f"/others/{path}", server.addresses[0])
    assert "x-account" not in answer.headers
    assert answer.headers["strict-transport-security"] == [HSTS]
    assert log_line(server, path)["account"] == path


def test_whom_nginx_asks_over_tls_has_to_prove_the_name(server: Machine, visitor: Machine) -> None:
    # The placeholder proves nothing; not asked for a proof, the same place answers.
    assert get(visitor, "/proved/201", server.addresses[0]).status == 502
    assert get(visitor, "/unproved/201", server.addresses[0]).status == 201


def test_a_body_beyond_the_limit_is_refused(server: Machine, visitor: Machine) -> None:
    visitor.run("truncate -s 10M /tmp/allowed; truncate -s 11M /tmp/large")
    url = f"https://{NAME}/status/200"
    options = ("--insecure", "-H", "Expect:", "--data-binary")
    refused = ask(visitor, url, server.addresses[0], *options, "@/tmp/large")
    assert (refused.status, refused.headers["strict-transport-security"]) == (413, [HSTS])
    assert ask(visitor, url, server.addresses[0], *options, "@/tmp/allowed").status != 413


def test_nginx_does_not_tell_its_version(server: Machine, visitor: Machine) -> None:
    assert get(visitor, "/status/200", server.addresses[0]).headers["server"] == ["nginx"]


def test_no_ticket_is_given(server: Machine, visitor: Machine) -> None:
    said = handshake(visitor, NAME, server.addresses[0], "-tls1_2")
    assert "Session-ID: " in said
    assert "session ticket" not in said


def test_what_nginx_runs_has_no_tickets_and_no_stapling(server: Machine) -> None:
    effective = server.check_output("nginx -T -q")
    assert "ssl_session_tickets off;" in effective
    assert "stapling" not in effective
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
