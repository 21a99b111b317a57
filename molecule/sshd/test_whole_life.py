"""A certificate from its issue to its end: issued, used, revoked; and what a client knows of the host."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from controls.ssh import Login
from plugins.module_utils import access

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Operator

    from controls.environment import Environment
    from controls.machine import Machine

LONGEST = 60
LOGINS = 100


@dataclass
class Session:
    """A login that stays."""

    process: subprocess.Popen[str]

    def is_alive(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    def says(self, word: str) -> bool:
        """Whether the other side still answers."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip() == word


def stay(server: Machine, login: Login) -> Session:
    """Log in and stay."""
    options = [
        *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ControlPath=none", "IdentitiesOnly=yes"),
        *("BatchMode=yes", "LogLevel=ERROR", f"CertificateFile={login.certificate}"),
    ]
    flags = [word for option in options for word in ("-o", option)]
    command = ["ssh", "-F", "none", *flags, "-i", str(login.key), f"{login.user}@{server.addresses[0]}", "cat"]
    session = Session(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    assert session.says("hello")
    return session


def test_who_is_issued_a_certificate_gets_in_and_stands_in_both_logs(server: Machine, operator: Operator) -> None:
    login = operator.issue("jane", "ticket-4711", "--validity", "2h")
    began = datetime.now(tz=UTC) - timedelta(seconds=2)
    assert server.attempt("issued", login).rc == 0
    entry = operator.log[-1]
    assert entry["id"] == "jane@sshd ticket-4711"
    log = server.check_output(f"journalctl -q -o cat -t sshd -t sshd-session --since=@{began.timestamp():.0f}")
    assert f"ID jane@sshd ticket-4711 (serial {entry['serial']})" in log


def test_every_login_of_the_log_was_issued(server: Machine, operator: Operator) -> None:
    """No certificate of the environment that logged in is missing from the log of issues, those of runs included."""
    log = server.check_output("journalctl -q -o cat -t sshd -t sshd-session")
    seen = {int(serial) for serial in re.findall(r"Accepted publickey .*-CERT .* ID \S+@sshd .*serial (\d+)", log)}
    assert seen
    assert seen <= {entry["serial"] for entry in operator.log}


def test_a_hundred_logins_are_a_hundred_lines_of_certificates_that_were_issued(
    server: Machine, operator: Operator
) -> None:
    logins = [operator.issue("jane", f"login-{number}") for number in range(4)]
    began = datetime.now(tz=UTC) - timedelta(seconds=1)
    for number in range(LOGINS):
        assert server.attempt(f"login-{number}", logins[number % len(logins)]).rc == 0
    log = server.check_output(f"journalctl -q -o cat -t sshd -t sshd-session --since=@{began.timestamp():.0f}")
    lines = re.findall(r"Accepted publickey .*-CERT .* ID (jane@sshd login-\d) \(serial (\d+)\)", log)
    issued = {(entry["id"], str(entry["serial"])) for entry in operator.log}
    assert len(lines) == LOGINS
    assert set(lines) <= issued


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--validity", "25h"], "validity: 25 h is not allowed; more than nothing and at most 24 h"),
        (["--principals", "root"], "principals: root is not allowed; jane"),
        (["--reason", " "], "reason: ' ' is not allowed"),
        (["--source-address", "here"], "source-address: here is not allowed; a network"),
    ],
)
def test_what_is_not_issued(operator: Operator, options: list[str], told: str) -> None:
    before = len(operator.log)
    key = operator.key("key").with_suffix(".pub")
    answer = operator.access("issue", "jane", "--reason", "x", "--key", key, *options)
    assert answer.rc == 1
    assert told in answer.text
    assert len(operator.log) == before
    assert not access.certificate_of(key.with_suffix("")).exists()


def test_the_playbook_issues_the_same(server: Machine, operator: Operator) -> None:
    key = operator.key("key")
    told = operator.play("access", person="jane", reason="by the playbook", key=f"{key}.pub", validity="30m")
    assert "jane@sshd by the playbook" in told.text
    login = Login(user="jane", key=key, certificate=access.certificate_of(key))
    assert server.attempt("by-playbook", login).rc == 0


def test_options_bind_the_holder(server: Machine, operator: Operator) -> None:
    elsewhere = operator.issue("jane", "elsewhere", "--source-address", "192.0.2.0/24")
    assert server.attempt("elsewhere", elsewhere).rc == 255
    one_command = operator.issue("jane", "one-command", "--force-command", "echo forced; exit 7")
    assert server.attempt("one-command", one_command).rc == 7


def test_a_revoked_certificate_is_out_within_a_minute_its_session_too(server: Machine, operator: Operator) -> None:
    revoked, kept = operator.issue("jane", "lost"), operator.issue("jane", "kept")
    lost_session, kept_session = stay(server, revoked), stay(server, kept)
    serial = next(entry["serial"] for entry in operator.log if entry["id"] == "jane@sshd lost")
    told = operator.access("revoke", "--serial", serial, "--reason", "the laptop is lost")
    assert told.rc == 0, told.text
    began = time.monotonic()
    operator.play("revoke")
    assert time.monotonic() - began < LONGEST
    assert server.attempt("revoked", revoked).rc == 255
    assert not lost_session.is_alive()
    assert kept_session.says("still here")
    assert server.attempt("kept", kept).rc == 0
    assert "the laptop is lost" in server.file("/etc/ssh/revocations").content_string
    assert "changed=0" in operator.play("revoke").text
    kept_session.process.kill()


def test_other_ways_to_revoke(server: Machine, operator: Operator) -> None:
    logins = {kind: operator.issue("jane", f"by-{kind}") for kind in ("id", "key", "fingerprint")}
    public = {kind: login.key.with_suffix(".pub").read_text().strip() for kind, login in logins.items() if login.key}
    values = {"id": "jane@sshd by-id", "key": public["key"], "fingerprint": access.fingerprint(public["fingerprint"])}
    for kind, value in values.items():
        assert server.attempt(f"before-{kind}", logins[kind]).rc == 0
        assert operator.access("revoke", f"--{kind}", value, "--reason", "a test").rc == 0
    operator.play("revoke")
    for kind in values:
        assert server.attempt(f"after-{kind}", logins[kind]).rc == 255


def test_a_persons_certificates_are_all_revoked_and_the_run_goes_on(server: Machine, operator: Operator) -> None:
    """The run that revokes jane's certificates is jane's: it gets itself a new one."""
    login = operator.issue("jane", "lost-with-others")
    assert operator.access("revoke", "--person", "jane", "--reason", "a stolen bag").rc == 0
    operator.play("revoke")
    assert server.attempt("revoked", login).rc == 255
    assert server.check_output("true") == ""


def test_a_broken_list_is_found_and_repaired(server: Machine, operator: Operator) -> None:
    operator.play("revoke")  # whose connection stays: nobody gets a new one afterwards
    before = server.check_output("sha256sum /etc/ssh/revoked_keys")
    login = operator.issue("jane", "meanwhile")
    server.check_output("cp /etc/ssh/revoked_keys /root/kept; truncate --size=30 /etc/ssh/revoked_keys")
    try:
        alarm = server.run("/usr/local/lib/art32/revocations check 30")
        assert alarm.rc == 1
        assert "nobody can log in" in alarm.stderr
        assert server.attempt("broken", login).rc == 255
        operator.play("revoke")
        assert server.check_output("sha256sum /etc/ssh/revoked_keys") == before
        assert server.attempt("repaired", login).rc == 0
    finally:
        server.check_output("mv /root/kept /etc/ssh/revoked_keys")


def test_an_old_list_raises_the_alarm(server: Machine) -> None:
    assert server.run("/usr/local/lib/art32/revocations check 30").rc == 0
    old = server.run("/usr/local/lib/art32/revocations check 0")
    assert old.rc == 1
    assert "days old; 0 are allowed. Run site.yml" in old.stderr
    assert server.service("art32-revocations.timer").is_enabled
    assert server.service("art32-revocations.timer").is_running
    assert server.run("systemctl start art32-revocations.service").rc == 0


def test_a_client_that_knows_the_authority_alone_knows_the_host(
    server: Machine, operator: Operator, tmp_path: Path
) -> None:
    login = operator.issue("jane", "first-meeting")
    known = tmp_path / "known_hosts"
    known.write_text(operator.access("known-hosts").text, encoding="utf-8")
    strict = {"StrictHostKeyChecking": "yes", "UserKnownHostsFile": str(known), "GlobalKnownHostsFile": "none"}
    for address in server.addresses:
        command = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"CertificateFile={login.certificate}"]
        command += [word for name, value in strict.items() for word in ("-o", f"{name}={value}")]
        done = subprocess.run(
            [*command, "-i", str(login.key), "-l", "jane", address, "true"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        empty = [word.replace(str(known), "/dev/null") for word in command]
        refused = subprocess.run(
            [*empty, "-i", str(login.key), "-l", "jane", address, "true"], capture_output=True, text=True, check=False
        )
        assert "Host key verification failed" in refused.stderr


def test_after_the_first_meeting_nothing_unknown_is_accepted(declaration: Environment) -> None:
    assert "StrictHostKeyChecking=yes" in declaration.get("ansible_ssh_common_args", host="server")


def test_break_glass_opens_only_while_declared_and_rings(
    server: Machine, operator: Operator, rung: Callable[[], str]
) -> None:
    key = operator.key("envelope")
    asked = operator.access("break-glass", "jane", "--reason", "the envelope in the safe", "--key", f"{key}.pub")
    assert asked.rc == 0, asked.text
    login = Login(user="jane", key=key, certificate=access.certificate_of(key))
    assert server.attempt("not-declared", login).rc == 255
    tomorrow = (datetime.now(tz=UTC) + timedelta(days=1)).date().isoformat()
    operator.play("revoke", sshd_break_glass_until=tomorrow)
    server.check_output("systemctl reset-failed art32-break-glass.service || true")
    assert server.attempt("declared", login).rc == 0
    told = server.check_output("journalctl -q -o cat -t art32-break-glass")
    assert "used for the account jane from" in told
    assert rung() == "failed"
    operator.play("revoke")
    assert server.attempt("ended", login).rc == 255
    server.check_output("systemctl reset-failed art32-break-glass.service")


def test_an_authority_is_replaced_without_shutting_anybody_out(
    server: Machine, operator: Operator, declaration: Environment
) -> None:
    new = operator.key("new_ca")
    old_public, new_public = (
        declaration.get("access_ca_public"),
        new.with_suffix(".pub").read_text(encoding="utf-8").strip(),
    )
    before = operator.issue("jane", "by-the-old-one")
    old_session = stay(server, before)
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public])
    assert server.attempt("old-with-both", before).rc == 0
    own = {"access_ca": str(new), "access_ca_public": new_public}
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public], **own)
    assert server.attempt("old-while-new-signs", before).rc == 0
    assert old_session.says("still here")
    operator.play("revoke", sshd_trusted_user_ca_keys=[new_public], **own)
    assert server.attempt("old-after", before).rc == 255
    assert not old_session.is_alive()
    shutil.rmtree(declaration.directory / ".access")
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public], **own)
    operator.play("revoke")
    assert server.attempt("old-again", before).rc == 0


def test_sessions_outlive_a_change_that_is_taken_back(
    server: Machine, operator: Operator, declaration: Environment
) -> None:
    """Together with the old authority goes, by a mistake, the operator's own principal: no new login confirms it."""
    session = stay(server, operator.issue("jane", "by-the-old-one"))
    new = operator.key("new_ca")
    old_public, new_public = (
        declaration.get("access_ca_public"),
        new.with_suffix(".pub").read_text(encoding="utf-8").strip(),
    )
    own = {"access_ca": str(new), "access_ca_public": new_public}
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public])
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public], **own)
    before = server.check_output("sha256sum /etc/ssh/user_ca.pub /etc/ssh/principals/jane")
    mistake = {"sshd_system_principals": {"jane": ["nobody"]}, "sshd_confirm_timeout": 15}
    values = json.dumps({**own, "sshd_trusted_user_ca_keys": [new_public], **mistake})
    told = operator.run("ansible-playbook", "-i", operator.environment, "playbooks/revoke.yml", "-e", values)
    assert told.rc != 0
    assert "could not be confirmed by a new login" in told.text, told.text
    assert server.check_output("sha256sum /etc/ssh/user_ca.pub /etc/ssh/principals/jane") == before
    assert session.says("still here")
    # The same without the mistake.
    operator.play("revoke", sshd_trusted_user_ca_keys=[new_public], **own)
    assert not session.is_alive()
    operator.play("revoke", sshd_trusted_user_ca_keys=[old_public, new_public], **own)
    shutil.rmtree(declaration.directory / ".access")
    operator.play("revoke")


def test_a_server_that_systemd_lost_sight_of_is_taken_over(server: Machine, operator: Operator) -> None:
    """As when its other name goes and comes back (`systemctl disable`, `enable`): it keeps the port."""
    login = operator.issue("jane", "lost-server")
    session = stay(server, login)
    server.check_output("systemctl stop ssh.service; mkdir -p /run/sshd; /usr/sbin/sshd")
    assert not server.service("ssh").is_running
    lost = server.check_output("cat /run/sshd.pid")
    told = operator.play("revoke")
    assert "changed=1" in told.text, told.text
    assert server.service("ssh").is_running
    assert server.check_output("systemctl show -P MainPID ssh.service") != lost
    assert server.run(f"test -e /proc/{lost}").rc != 0
    assert server.attempt("taken-over", login).rc == 0
    assert session.says("still here")
    session.process.kill()


def test_who_would_be_shut_out_is_refused_before_any_change(server: Machine, operator: Operator) -> None:
    before = server.check_output("find /etc/ssh -type f -exec sha256sum {} +")
    public = operator.key("foreign").with_suffix(".pub").read_text(encoding="utf-8").strip()
    values = json.dumps({"sshd_trusted_user_ca_keys": [public]})
    told = operator.run("ansible-playbook", "-i", operator.environment, "playbooks/revoke.yml", "-e", values)
    assert told.rc != 0
    assert "access_ca_public:" in told.text
    assert "with this one nobody could log in any more" in told.text
    assert server.check_output("find /etc/ssh -type f -exec sha256sum {} +") == before
