"""How the checks of the way in judge what a host tells."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from controls import declared
from controls.judges import files, sshd, units

RUNNING = """\
process sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups
read 1700000000.0
written 1699999999.9 /etc/ssh/sshd_config
"""
CERTIFICATE = """\
/etc/ssh/ssh_host_ed25519_key-cert.pub:
        Type: ssh-ed25519-cert-v01@openssh.com host certificate
        Public key: ED25519-CERT SHA256:host
        Signing CA: ED25519 SHA256:authority (using ssh-ed25519)
        Key ID: "server"
        Serial: 1
        Valid: from 2026-11-01T00:00:00 to 2027-01-30T00:00:00
        Principals:
                198.51.100.10
                server
        Critical Options: (none)
        Extensions: (none)
"""
ASKED: dict[str, Any] = {
    "key": "256 SHA256:host root@server (ED25519)",
    "authorities": ["SHA256:authority"],
    "names": ["server", "198.51.100.10"],
    "now": datetime(2026, 11, 26, tzinfo=UTC),
}
UNIT = {
    "Id": "ssh.service",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "FragmentPath": "/usr/lib/systemd/system/ssh.service",
    "DropInPaths": "",
    "NeedDaemonReload": "no",
}


def test_a_server_that_has_read_its_file_is_as_it_says() -> None:
    assert sshd.running_problems(RUNNING) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-D [", "-D -o PermitRootLogin=yes ["),
        ("written 1699999999.9", "written 1700000000.1"),
        ("/sshd -D", "/dropbear"),
    ],
)
def test_a_server_that_may_have_other_settings_is_found(before: str, after: str) -> None:
    assert len(sshd.running_problems(RUNNING.replace(before, after))) == 1


def test_the_declared_certificate_has_no_problem() -> None:
    assert sshd.certificate_problems(CERTIFICATE, **ASKED) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("host certificate", "user certificate"),
        ("CERT SHA256:host", "CERT SHA256:other"),
        ("CA: ED25519 SHA256:authority", "CA: ED25519 SHA256:foreign"),
        ("2027-01-30", "2026-11-25"),
        ("from 2026-11-01T00:00:00 to 2027-01-30T00:00:00", "forever"),
        ("                server", "                another"),
    ],
)
def test_a_problem_of_a_host_certificate_is_found(before: str, after: str) -> None:
    assert len(sshd.certificate_problems(CERTIFICATE.replace(before, after), **ASKED)) == 1


@pytest.mark.parametrize(
    ("state", "changed", "problems"),
    [
        ("on", {}, 0),
        ("on", {"ActiveState": "failed", "UnitFileState": "disabled"}, 2),
        ("on", {"DropInPaths": "/etc/systemd/system/ssh.service.d/own.conf"}, 1),
        ("on", {"DropInPaths": "/usr/lib/systemd/system/service.d/10-all.conf"}, 0),
        ("on", {"FragmentPath": "/etc/systemd/system/ssh.service"}, 1),
        ("on", {"NeedDaemonReload": "yes"}, 1),
        ("on call", {"ActiveState": "inactive", "UnitFileState": "static"}, 0),
        ("off", {}, 2),
        ("off", {"ActiveState": "inactive", "UnitFileState": "disabled"}, 0),
        ("masked", {}, 1),
        ("masked", {"UnitFileState": "masked"}, 0),
    ],
)
def test_a_unit_is_in_the_state_it_has_to_be_in(state: units.State, changed: dict[str, str], problems: int) -> None:
    found = units.state_problems({"ssh.service": UNIT | changed}, {"ssh.service": state})
    assert len(found) == problems


def test_a_drop_in_of_the_role_is_no_strangers() -> None:
    ours = "/etc/systemd/system/ssh.service.d/art32.conf"
    shown = {"ssh.service": UNIT | {"DropInPaths": ours}}
    assert units.state_problems(shown, {"ssh.service": "on"}, laid={ours}) == []
    assert len(units.state_problems(shown, {"ssh.service": "on"})) == 1


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        ("root:root 755 {digest} /a", None),
        ("", "missing"),
        ("root:root 755 0000 /a", "not what"),
        ("root:root 775 {digest} /a", "can be changed"),
        ("joe:root 755 {digest} /a", "can be changed"),
    ],
)
def test_a_file_is_the_declared_one(listed: str, problem: str | None) -> None:
    digest = sha256(b"content").hexdigest()
    found = files.problems(listed.format(digest=digest), {"/a": digest})
    assert (problem in found[0]) if problem else not found


def test_every_program_of_the_way_in_is_compared() -> None:
    assert {"/usr/local/lib/art32/firewall", "/usr/local/lib/art32/revocations", "/etc/sudoers.d/art32-admin"} <= set(
        declared.paths()
    )
