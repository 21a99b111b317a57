"""Each command of docs/access.md, with what it said here."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from plugins.module_utils import access
from tests.pages import ROOT, check_page, message_of, task_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Operator

    from controls.machine import Machine

ISSUE = 'scripts/access -e production issue jane --reason "ticket 4711" --key keys/jane.pub --validity'
REVOKE = 'scripts/access -e production revoke --person jane --reason "laptop lost on 24 November"'
BREAK_GLASS = (
    'scripts/access -e production break-glass jane --reason "envelope 1, the safe in the office" --key envelope-1.pub'
)
ENCRYPT = (
    "ART32_VAULT_PASSWORD_FILE=inventories/production/.vault-password"
    " ansible-vault encrypt inventories/production/.ssh/user_ca_2"
)
FORGET = "scripts/access -e production forget backup"
PLAY = "ansible-playbook -i inventories/production playbooks/revoke.yml"
# What differs from run to run, and what the page shows.
SHOWN = {
    r"/\S*/((?:jane|envelope-1)-cert)": r"keys/\1",
    r"keys/(envelope-1)": r"\1",
    r"/\S*/environment\b": "inventories/production",
    "jane@sshd": "jane@production",
    r"\b1\d{12}\b": "1795520814246",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00": "2026-11-24T19:46:54+00:00",
    # When it was issued, of those of a line.
    r"^2026-11-24T19:46:54": "2026-11-24T11:46:54",
    r"by \S+@\S+$": "by root@vm",
    r"^@cert-authority \S+ (ssh-ed25519 AAAA)\S+.*$": r"@cert-authority 203.0.113.11,2001:db8::11,backup \1...",
    r"from \S+: a shell": "from 198.51.100.77: a shell",
}


def own_words(command: str, operator: Operator) -> list[str]:
    """A command of the page as it is run here."""
    names = {
        "keys/jane.pub": f"{operator.directory}/jane.pub",
        "envelope-1.pub": f"{operator.directory}/envelope-1.pub",
    }
    words = shlex.split(command.replace("scripts/access -e production ", ""))
    return [names.get(word, word) for word in words]


def check(operator: Operator, command: str, **shown: str) -> None:
    """Run one of the commands of scripts/access, and compare; `shown` is what else the page shows in a place."""
    told = operator.access(*own_words(command, operator)).text
    check_page("access.md", command, told, {**SHOWN, **shown})


def test_issue(operator: Operator) -> None:
    operator.key("jane")
    check(operator, f"{ISSUE} 8h")
    check(operator, f"{ISSUE} 30h")
    told = operator.access("log", "jane").text.splitlines()
    check_page("access.md", "scripts/access -e production log jane", told[-1], SHOWN)


def test_know_the_hosts(operator: Operator) -> None:
    lines = operator.access("known-hosts").text.splitlines()
    check_page("access.md", "tail -1 ~/.ssh/known_hosts", lines[-1], SHOWN)


def test_forget_a_host(operator: Operator) -> None:
    """It is met once more by the next run, and strictly known from then on."""
    known = operator.environment / ".ssh" / "known_hosts"
    shown = {r"\bserver\b": "backup", r"\(.*\)": "(2001:db8::11, 203.0.113.11, backup)"}
    check_page("access.md", FORGET, operator.access("forget", "server").text, {**SHOWN, **shown})
    assert ",server " not in known.read_text(encoding="utf-8")
    assert operator.access("forget", "server").text == "Nothing is known of server.\n"
    assert "host: nobody is not allowed; one of " in operator.access("forget", "nobody").text
    operator.play("revoke")
    assert ",server " in known.read_text(encoding="utf-8")


def test_revoke(operator: Operator) -> None:
    """Of several certificates of hers the page shows one."""
    operator.issue("jane", "ticket 4711")
    told = operator.access(*own_words(REVOKE, operator)).text.splitlines()
    shown = [told[0], next(line for line in told if "ticket 4711" in line), told[-1]]
    check_page("access.md", REVOKE, "\n".join(shown), SHOWN)
    said = operator.play("revoke").text
    check_page("access.md", PLAY, task_of(said, "art32.server.sshd : configure | Let in certificates only"), SHOWN)


def test_rotate(operator: Operator) -> None:
    """The second authority's key; and the refusal of one that signs and is not trusted."""
    key = operator.key("user_ca_2")
    password = f"ART32_VAULT_PASSWORD_FILE={operator.environment}/.vault-password"
    told = operator.run("env", password, "ansible-vault", "encrypt", key)
    assert key.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;")
    check_page("access.md", ENCRYPT, told.text, SHOWN)
    public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    values = f'{{"sshd_trusted_user_ca_keys": ["{public}"]}}'
    refused = operator.run("ansible-playbook", "-i", operator.environment, "playbooks/revoke.yml", "-e", values)
    assert refused.rc != 0
    said = " ".join(message_of(refused.text).split())
    assert "is not allowed; one of sshd_trusted_user_ca_keys; with this one nobody could log in any more" in said


def test_break_glass(server: Machine, operator: Operator, rung: Callable[[], str]) -> None:
    operator.key("envelope-1")
    check(operator, BREAK_GLASS, **{r"(valid_until) \S+": r"\1 2026-12-24T11:47:05+00:00"})
    tomorrow = (datetime.now(tz=UTC) + timedelta(days=1)).date().isoformat()
    operator.play("revoke", sshd_break_glass_until=tomorrow)
    server.check_output("systemctl reset-failed art32-break-glass.service || true")
    key = operator.directory / "envelope-1"
    options = [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        f"CertificateFile={access.certificate_of(key)}",
    ]
    flags = [word for option in options for word in ("-o", option)]
    command = ["ssh", "-F", "none", *flags, "-i", str(key), f"jane@{server.addresses[0]}"]
    subprocess.run(command, input="exit\n", text=True, capture_output=True, env=os.environ, check=False)
    told = server.check_output("journalctl -q -t art32-break-glass -o cat").splitlines()[-1]
    check_page("access.md", "journalctl -t art32-break-glass -o cat", told, SHOWN)
    check_page("access.md", "systemctl is-failed art32-break-glass.service", rung(), SHOWN)
    operator.play("revoke")
    server.check_output("systemctl reset-failed art32-break-glass.service")


def test_every_command_of_the_page_is_here() -> None:
    """Those that say nothing are shown without an output."""
    page = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    silent = ("ssh-keygen -q", "ssh -i", "scripts/access -e production known-hosts")
    commands = [line for line in re.findall(r"(?m)^\$ (.*)$", page) if not line.startswith(silent)]
    known = {ENCRYPT, f"{ISSUE} 8h", f"{ISSUE} 30h", FORGET, REVOKE, BREAK_GLASS, PLAY, "tail -1 ~/.ssh/known_hosts"}
    known |= {"scripts/access -e production log jane", "journalctl -t art32-break-glass -o cat"}
    known |= {"systemctl is-failed art32-break-glass.service"}
    assert set(commands) == known
