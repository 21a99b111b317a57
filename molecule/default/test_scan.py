"""Independent scanners in one command: what they find is in the evidence, and a weakened host does not pass."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from scanning import INSTALL, INSTALL_RULES, scanned, statuses

from tests.mutants.trial import Console, repair
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from controls.environment import Environment

SCANNERS = {"nmap", "ssh-audit", "testssl", "sslyze", "observatory", "unit-exposure", "lynis", "openscap"}
SSHD, NGINX = "/etc/ssh/sshd_config", "/etc/nginx/nginx.conf"
SANDBOX = "/etc/systemd/system/art32-platform.service.d"
OPEN = (
    r"[Service]\nNoNewPrivileges=no\nProtectSystem=no\nSystemCallFilter=\nPrivateDevices=no\nCapabilityBoundingSet=~\n"
)
# What is weakened, by a script on the server's console.
SCRIPTS = {
    "an old cipher": f"sed -i 's/^Ciphers .*/&,aes128-cbc/' {SSHD}; systemctl reload ssh.service",
    "an old key exchange": (
        f"sed -i 's/^KexAlgorithms .*/&,diffie-hellman-group14-sha1/' {SSHD}; systemctl reload ssh.service"
    ),
    "TLS 1.0": (
        "sed -i 's/ssl_protocols .*/ssl_protocols TLSv1 TLSv1.2 TLSv1.3;/;"
        f" s/ssl_ciphers .*/ssl_ciphers ALL:@SECLEVEL=0;/' {NGINX}; systemctl reload nginx.service"
    ),
    "a port": "ufw allow 8081/tcp; systemd-run --unit=mutant python3 -m http.server 8081 --directory /mnt",
    "a sandbox": f"mkdir -p {SANDBOX}; printf '{OPEN}' >{SANDBOX}/mutant.conf; systemctl daemon-reload",
}
# Which check has to see it.
SEEN_BY = {
    "an old cipher": "ssh audit finds its hardening guide kept",
    "an old key exchange": "ssh audit finds its hardening guide kept",
    "TLS 1.0": "sslyze finds mozillas policy kept",
    "a port": "nmap finds no other port from the public, tcp",
    "a sandbox": "systemd finds each unit shut in",
}


@pytest.fixture(scope="module")
def console(declaration: Environment) -> Callable[[str], str]:
    """The server, and every scanner where it runs."""
    subprocess.run([CHECKOUT / "scripts" / "observatory"], check=True)
    for host in declaration.managed:
        Console(declaration, host)(INSTALL + INSTALL_RULES)
    return Console(declaration, "server")


@pytest.fixture
def weak(declaration: Environment, console: Callable[[str], str]) -> Iterator[Callable[[str], None]]:
    """Weakens the server; afterwards it is as it was declared."""
    yield console  # type: ignore[misc]
    console("systemctl stop mutant.service 2>/dev/null || true")
    mended = repair(declaration.directory, CHECKOUT / "site.yml")
    assert mended.status == 0, mended.output


def test_all_scanners_run_by_one_command_and_are_in_the_evidence(
    declaration: Environment, console: Callable[[str], str], tmp_path: Path
) -> None:
    del console
    words = ["ansible-playbook", "-i", str(declaration.directory), "playbooks/audit.yml", "-e", "audit_kinds=scan"]
    settings = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    words += ["-e", f"audit_directory={tmp_path}"]
    done = subprocess.run(words, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    bundle = tmp_path / "latest"
    kept = json.loads((bundle / "raw" / "index.json").read_text(encoding="utf-8"))
    told = [entry for entry in kept if entry["name"].endswith("-ids")]
    assert {one for one in SCANNERS for entry in told if entry["name"].startswith(one)} == SCANNERS
    for entry in told:
        ids = json.loads((bundle / entry["path"]).read_text(encoding="utf-8"))
        assert ids["evaluated"], entry["name"]
        assert not ids["failed"], (entry["name"], ids)
        assert any(letter.isdigit() for letter in entry["tool"]), f"{entry['name']} was made by {entry['tool']}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_weakened_host_does_not_pass(
    declaration: Environment, weak: Callable[[str], None], tmp_path: Path, name: str
) -> None:
    weak(SCRIPTS[name])
    check = SEEN_BY[name]
    part = check.split(",", maxsplit=1)[0].replace(" ", "_")
    report = scanned(declaration, tmp_path, part)
    assert statuses(report, "server", check) == {"not met"}, json.dumps(report["controls"], indent=1)


def test_a_scanner_that_is_not_there_did_not_run(
    declaration: Environment, weak: Callable[[str], None], tmp_path: Path
) -> None:
    weak("dpkg --purge lynis >/dev/null")
    report = scanned(declaration, tmp_path, "lynis")
    weak(INSTALL)
    assert statuses(report, "server", "lynis finds the machine hardened") == {"not assessed"}
