"""What is served, seen from a visitor's machine, before and after renewals that go well and one that does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

NAME = "platform.example.test"
RENEWAL = f"/etc/letsencrypt/renewal/{NAME}.conf"
BROKEN = "/etc/nginx/sites-enabled/broken.conf"
UNIT = "art32-certbot-renew.service"


@pytest.fixture(scope="module")
def root(visitor: Machine) -> str:
    """The authority's root on the visitor's machine."""
    visitor.run(f"printf %s '{visitor.variable('audit_trust_roots')}' >/tmp/root.pem")
    return "/tmp/root.pem"  # noqa: S108 - on a test host


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def address(request: pytest.FixtureRequest, server: Machine) -> str:
    number = str(server.addresses[request.param])
    return f"[{number}]" if ":" in number else number


@pytest.fixture
def due(server: Machine) -> Iterator[None]:
    """The certificate is due for renewal, by its own settings."""
    server.check_output(f"sed -i '1i renew_before_expiry = 3650 days' {RENEWAL}")
    yield
    server.check_output(f"sed -i '/^renew_before_expiry/d' {RENEWAL}")


def served_serial(visitor: Machine, server: Machine) -> str:
    """The serial number that a visitor gets to see."""
    target = f"{server.addresses[0]}:443"
    shown = visitor.check_output(
        f"openssl s_client -connect {target} -servername {NAME} </dev/null 2>/dev/null | openssl x509 -noout -serial"
    )
    return str(shown).removeprefix("serial=")


def newest_serial(server: Machine) -> str:
    """The serial number of the newest certificate that certbot has."""
    shown = server.check_output(f"openssl x509 -noout -serial -in /etc/letsencrypt/live/{NAME}/cert.pem")
    return str(shown).removeprefix("serial=")


def renew(server: Machine) -> int:
    """Start the unit that the timer starts; its exit status."""
    return int(server.run(f"systemctl start {UNIT}").rc)


def journal(server: Machine) -> str:
    return str(server.check_output(f"journalctl --no-pager -o cat -n 60 -u {UNIT}"))


def test_the_chain_leads_to_the_authority(visitor: Machine, root: str, address: str) -> None:
    url = f"--connect-to {NAME}:443:{address}:443 https://{NAME}/"
    assert visitor.run(f"curl -s -m 10 -o /dev/null --cacert {root} {url}").rc == 0
    # The same without the root: it is this chain that is judged.
    assert visitor.run(f"curl -s -m 10 -o /dev/null {url}").rc == 60


def test_the_certificate_is_for_the_name_with_an_elliptic_key(server: Machine) -> None:
    shown = server.check_output(f"openssl x509 -noout -text -in /etc/nginx/certificates/{NAME}/fullchain.pem")
    assert f"DNS:{NAME}" in shown
    assert "prime256v1" in shown


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
