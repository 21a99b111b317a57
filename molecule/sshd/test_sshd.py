"""A certificate gets in; nothing else does, and sshd says why."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controls.scanners import SSH_AUDIT
from controls.ssh import Login

if TYPE_CHECKING:
    from controls.environment import Environment
    from controls.machine import Machine

BARE = {"CertificateFile": "none", "IdentitiesOnly": "yes"}


@pytest.fixture
def jane(declaration: Environment) -> Login:
    key = declaration.directory / ".access" / "jane"
    return Login(user="jane", key=key, certificate=key.with_name("jane-cert.pub"))


@pytest.fixture
def bare_key(jane: Login, tmp_path: Path) -> Path:
    """The same key where no certificate lies beside it."""
    assert jane.key
    return shutil.copy(jane.key, tmp_path / "key")


def logged_since(server: Machine, cursor: str) -> str:
    return server.check_output(f"journalctl --unit=ssh --no-pager --after-cursor='{cursor}'")


def cursor(server: Machine) -> str:
    told = server.check_output("journalctl --unit=ssh --no-pager --lines=1 --output=cat --show-cursor")
    return told.splitlines()[-1].removeprefix("-- cursor: ")


def foreign_certificate(key: Path, directory: Path) -> Path:
    """A certificate for jane, by an authority that nobody trusts."""
    authority = directory / "foreign_ca"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority], check=True)
    public = directory / "foreign.pub"
    public.write_text(subprocess.check_output(["ssh-keygen", "-y", "-f", key], text=True))
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "foreign", "-n", "jane", public], check=True)
    return directory / "foreign-cert.pub"


def test_a_certificate_gets_in_and_its_id_is_logged(server: Machine, jane: Login) -> None:
    before = cursor(server)
    assert server.attempt("certificate", jane).rc == 0
    log = logged_since(server, before)
    assert re.search(r"Accepted publickey for jane .* ID jane@sshd .*\(serial \d+\) CA ED25519 SHA256:", log)


def test_the_key_alone_does_not(server: Machine, bare_key: Path) -> None:
    before = cursor(server)
    told = server.attempt("key", Login(user="jane", key=bare_key))
    assert told.rc == 255
    assert "Permission denied (publickey)" in told.stderr
    assert "signature algorithm ssh-ed25519 not in PubkeyAcceptedAlgorithms" in logged_since(server, before)


def test_a_foreign_certificate_does_not(server: Machine, bare_key: Path, tmp_path: Path) -> None:
    before = cursor(server)
    certificate = foreign_certificate(bare_key, tmp_path)
    told = server.attempt("foreign", Login(user="jane", key=bare_key, certificate=certificate))
    assert told.rc == 255
    assert "CA" in logged_since(server, before)


@pytest.mark.parametrize("account", ["admin", "root", "joe"])
def test_a_certificate_is_for_its_own_account(server: Machine, jane: Login, account: str) -> None:
    told = server.attempt("other-account", Login(user=account, key=jane.key, certificate=jane.certificate))
    assert told.rc == 255
    assert "Permission denied (publickey)" in told.stderr


def test_the_clouds_first_key_is_of_no_use_any_more(server: Machine, declaration: Environment) -> None:
    assert server.file("/home/admin/.ssh/authorized_keys").content_string
    told = server.attempt("first-key", Login(user="admin", key=declaration.get("access_first_key")))
    assert told.rc == 255


def test_no_password_is_asked_for(server: Machine) -> None:
    told = server.attempt(
        "password",
        Login(user="jane"),
        PreferredAuthentications="password,keyboard-interactive,hostbased,gssapi-with-mic",
        PubkeyAuthentication="no",
    )
    assert told.rc == 255
    assert "Permission denied (publickey)" in told.stderr


def test_who_left_is_out(server: Machine, declaration: Environment) -> None:
    key = declaration.directory / ".access" / "joe"
    certificate = key.with_name("joe-cert.pub")
    before = cursor(server)
    assert server.attempt("joe", Login(user="joe", key=key, certificate=certificate)).rc == 255
    assert "Failed publickey for joe" in logged_since(server, before)
    assert server.check_output("pgrep --euid joe | wc -l") == "0"


@pytest.mark.parametrize("account", ["jane", "root", "admin"])
def test_effective_configuration(server: Machine, account: str) -> None:
    effective = server.check_output(f"sshd -T -C user={account},host=any,addr=203.0.113.9").splitlines()
    for line in (
        "authorizedkeysfile none",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin no",
        "authenticationmethods publickey",
        "allowtcpforwarding no",
        "x11forwarding no",
        "disableforwarding yes",
    ):
        assert line in effective


def test_what_others_added_is_gone(server: Machine) -> None:
    assert server.check_output("ls /etc/ssh/sshd_config.d") == ""
    assert server.check_output("ls /etc/ssh/principals") == "jane"
    # The process that runs has no options of its own.
    assert "PasswordAuthentication" not in server.check_output("tr '\\0' ' ' < /proc/$(pgrep -o -x sshd)/cmdline")


def test_exactly_the_administrators_may_become_root(server: Machine) -> None:
    """The cloud's first user was one until the first run, joe until the last."""
    assert set(server.check_output("ls /etc/sudoers.d").split()) == {"README", "art32-admin"}
    assert server.check_output("su jane -c 'sudo -n id -u'") == "0"
    for account in ("admin", "nobody"):
        refused = server.run(f"setpriv --reuid {account} --clear-groups sudo -n id -u")
        assert refused.rc != 0
        assert "password is required" in refused.stderr or "not in the sudoers file" in refused.stderr
    assert "joe" not in server.check_output("grep -rhv '^#' /etc/sudoers /etc/sudoers.d")


def test_what_root_makes_is_not_the_callers_umask(server: Machine) -> None:
    assert server.check_output("runuser -u jane -- sh -c 'umask 077; sudo -n sh -c umask'") == "0022"


def test_the_list_of_revoked_keys_can_be_read(server: Machine) -> None:
    assert server.run("ssh-keygen -Q -l -f /etc/ssh/revoked_keys").rc == 0
    assert server.check_output("sshd -T | grep ^revokedkeys") == "revokedkeys /etc/ssh/revoked_keys"


def test_the_service_listens_and_not_the_socket(server: Machine) -> None:
    assert server.service("ssh").is_running
    assert server.service("ssh").is_enabled
    assert not server.service("ssh.socket").is_enabled
    assert not server.service("ssh.socket").is_running


def judged(release: str, address: str, port: int = 22) -> tuple[int, dict[str, Any]]:
    """What ssh-audit says of a server by its policy for a release, as it comes."""
    program = Path(sys.executable).with_name("ssh-audit")
    command = [program, "-j", "-p", str(port), "-P", SSH_AUDIT[release], address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["policy"] == SSH_AUDIT[release]
    return done.returncode, told


def test_but_for_the_hosts_certificate_it_is_the_hardening_guide_to_the_letter(server: Machine) -> None:
    """By ssh-audit's policy, which on Debian 12 allows a certificate besides, and on Debian 13 forgets to."""
    release = server.check_output(". /etc/os-release; echo $VERSION_CODENAME")
    code, told = judged(release, server.addresses[0])
    if release == "bookworm":
        assert (code, told["passed"], told["errors"]) == (0, True, [])
        return
    assert [error["mismatched_field"] for error in told["errors"]] == ["Host keys"]
    server.check_output("sed -e /^HostCertificate/d -e /^HostKeyAlgorithms/d /etc/ssh/sshd_config > /run/uncertified")
    server.check_output("systemd-run --unit=uncertified /usr/sbin/sshd -D -p 2222 -f /run/uncertified")
    try:
        server.check_output("timeout 30 sh -c 'until ss -Hltn sport = :2222 | grep -q .; do sleep 0.1; done'")
        code, told = judged(release, server.addresses[0], 2222)
    finally:
        server.check_output("systemctl stop uncertified; rm /run/uncertified")
    assert (code, told["passed"], told["errors"]) == (0, True, [])


def test_nothing_is_pending(server: Machine) -> None:
    assert server.check_output("systemctl list-timers --all 'art32-revert-*' --no-legend | wc -l") == "0"
