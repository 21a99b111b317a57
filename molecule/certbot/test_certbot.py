"""What is served, seen from a visitor's machine, before and after renewals that go well and one that does not."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).parent))
from directory import NAME, RENEWAL, UNIT, journal, newest_serial, renew, served_serial

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.machine import Machine

BROKEN = "/etc/nginx/sites-enabled/broken.conf"


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def address(request: pytest.FixtureRequest, server: Machine) -> str:
    number = str(server.addresses[request.param])
    return f"[{number}]" if ":" in number else number


def test_the_chain_leads_to_the_authority(visitor: Machine, root: str, address: str) -> None:
    url = f"--connect-to {NAME}:443:{address}:443 https://{NAME}/"
    assert visitor.run(f"curl -s -m 10 -o /dev/null --cacert {root} {url}").rc == 0
    # The same without the root: it is this chain that is judged.
    assert visitor.run(f"curl -s -m 10 -o /dev/null {url}").rc == 60


def test_the_certificate_is_for_the_name_with_an_elliptic_key(server: Machine) -> None:
    shown = server.check_output(f"openssl x509 -noout -text -in /etc/nginx/certificates/{NAME}/fullchain.pem")
    assert f"DNS:{NAME}" in shown
    assert "prime256v1" in shown


def test_a_run_without_changes_executes_three_modules(server: Machine, converge: Callable[[], str]) -> None:
    began = server.check_output("date +%s.%N")
    said = converge()
    assert re.search(r"server .*changed=0 .*failed=0", said), said
    told = server.check_output(f"journalctl --sync; journalctl -S @{began} -o cat --output-fields=SYSLOG_IDENTIFIER")
    executed = [line for line in told.splitlines() if line.startswith("ansible-art32.server.")]
    assert sorted(executed) == ["ansible-art32.server.certificate", *["ansible-art32.server.transaction"] * 2]


def test_the_key_is_for_root_alone(server: Machine) -> None:
    directory = server.check_output(f"readlink -f /etc/nginx/certificates/{NAME}")
    assert server.file(directory).mode == 0o700
    assert server.file(f"{directory}/privkey.pem").mode == 0o600


def test_the_directory_of_the_declaration_issued_it(server: Machine) -> None:
    assert f"server = {server.variable('certbot_directory_url')}\n" in server.file(RENEWAL).content_string


def test_the_timer_waits_for_its_next_pass(server: Machine) -> None:
    shown = server.check_output("systemctl show art32-certbot-renew.timer -P NextElapseUSecRealtime -P UnitFileState")
    assert re.search(r"\d{4}-\d\d-\d\d", shown)
    assert "enabled" in shown


def test_a_failure_alarms(server: Machine) -> None:
    assert f"art32-alert@{UNIT}.service" in server.check_output(f"systemctl show {UNIT} -P OnFailure")


@pytest.mark.parametrize("unit", [UNIT, "art32-certificate-watch.service"])
def test_the_unit_is_shut_in(server: Machine, unit: str) -> None:
    judged = server.run(f"systemd-analyze security --no-pager --threshold=25 {unit}")
    assert judged.rc == 0, judged.stdout


def watch(server: Machine) -> str:
    """What the watching unit says; an empty text when all is well."""
    unit = "art32-certificate-watch.service"
    started = server.run(f"systemctl reset-failed {unit}; systemctl start {unit}")
    if started.rc == 0:
        return ""
    return journal(server, unit)


def place(server: Machine, pem: str) -> None:
    """Serve this certificate and key, without a word to certbot."""
    directory = "/etc/nginx/certificates/versions/by-hand"
    server.check_output(
        f"mkdir -p {directory} && printf %s '{pem}' | tee {directory}/fullchain.pem >{directory}/privkey.pem"
    )
    server.check_output(f"ln -sfn versions/by-hand /etc/nginx/certificates/{NAME} && nginx -s reload")


def certificate(name: str, *, lifetime: timedelta, left: timedelta, issuer: str) -> str:
    """A key and a certificate for it, as PEM, that somebody else seems to have issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    expires = datetime.now(UTC) + left
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expires - lifetime)
        .not_valid_after(expires)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName(f"www.{name}")]), critical=False)
    )
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return (builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + text).decode()


@pytest.mark.parametrize(
    ("name", "left", "issuer", "said"),
    [
        (NAME, 30, "authority", ""),
        (NAME, 28, "authority", "31 % of its lifetime are left"),
        (NAME, -1, "authority", "0 % of its lifetime are left"),
        (NAME, 80, NAME, "only a placeholder is served"),
        ("other.example.test", 80, "authority", "the one served is for other.example.test, www.other.example.test"),
    ],
)
def test_the_watch_sees_what_is_served(server: Machine, name: str, left: int, issuer: str, said: str) -> None:
    former = server.check_output(f"readlink /etc/nginx/certificates/{NAME}")
    lifetime, remaining = timedelta(days=90), timedelta(days=left, hours=1)
    try:
        place(server, certificate(name, lifetime=lifetime, left=remaining, issuer=issuer))
        for _ in range(40):
            heard = watch(server)
            if (said in heard) if said else not heard:
                break
            time.sleep(0.25)
        assert (said in heard) if said else heard == ""
    finally:
        server.check_output(f"ln -sfn {former} /etc/nginx/certificates/{NAME} && nginx -s reload")


def test_the_watch_sees_that_nothing_is_served(server: Machine) -> None:
    server.check_output("systemctl stop nginx.service")
    try:
        assert f"{NAME} on ::1: no certificate is served" in watch(server)
    finally:
        server.check_output("systemctl start nginx.service")
    assert watch(server) == ""


def test_the_watch_is_on_and_alarms(server: Machine) -> None:
    told = server.check_output("systemctl show art32-certificate-watch.timer -P UnitFileState -P ActiveState")
    assert told.split() == ["active", "enabled"]
    shown = server.check_output("systemctl show art32-certificate-watch.service -P OnFailure")
    assert "art32-alert@art32-certificate-watch.service.service" in shown


def test_nothing_is_renewed_before_it_is_due(server: Machine, visitor: Machine) -> None:
    before = newest_serial(server)
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) == before == served_serial(visitor, server)


@pytest.mark.usefixtures("due")
def test_a_renewed_certificate_is_served(server: Machine, visitor: Machine) -> None:
    before = served_serial(visitor, server)
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) != before
    assert served_serial(visitor, server) == newest_serial(server)


def test_a_configuration_that_nginx_refuses_keeps_the_old_certificate(
    server: Machine, visitor: Machine, due: None
) -> None:
    before = served_serial(visitor, server)
    server.check_output(f"echo 'nonsense;' >{BROKEN}")
    try:
        assert renew(server) != 0
        assert server.check_output(f"systemctl is-failed {UNIT}") == "failed"
        assert 'unknown directive "nonsense"' in journal(server)
        assert newest_serial(server) != before
        assert served_serial(visitor, server) == before
        # The files agree with what is served: a restart of nginx would not be a surprise either.
        kept = server.check_output(f"openssl x509 -noout -serial -in /etc/nginx/certificates/{NAME}/fullchain.pem")
        assert kept == f"serial={before}"
    finally:
        server.check_output(f"rm -f {BROKEN}")


def test_the_next_pass_makes_up_for_it(server: Machine, visitor: Machine) -> None:
    newest = newest_serial(server)
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) == newest
    assert served_serial(visitor, server) == newest
