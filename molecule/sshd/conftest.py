"""What every test of the SSH server needs, and an operator who runs the commands of docs/access.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controls.ssh import Login
from plugins.module_utils import access, issuing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment
    from controls.machine import Machine

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a command said and how it ended."""

    rc: int
    text: str


class Operator:
    """Runs the commands of docs/access.md in an environment."""

    def __init__(self, declaration: Environment, directory: Path) -> None:
        """Work in a directory of its own."""
        self.environment, self.directory = declaration.directory, directory

    def run(self, *command: object) -> Told:
        """Run one of them."""
        settings = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            list(map(str, command)),
            cwd=CHECKOUT,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Told(rc=done.returncode, text=done.stdout + done.stderr)

    def access(self, *arguments: object) -> Told:
        """Run scripts/access."""
        return self.run("scripts/access", "-e", self.environment, *arguments)

    def play(self, name: str, **values: Any) -> Told:  # noqa: ANN401 - as a play takes them
        """Run a playbook that has to succeed."""
        told = self.run("ansible-playbook", "-i", self.environment, f"playbooks/{name}.yml", "-e", json.dumps(values))
        assert told.rc == 0, told.text
        return told

    def key(self, name: str) -> Path:
        """A new key pair; the private half."""
        key = self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        return key

    def issue(self, person: str, name: str, *options: str) -> Login:
        """A login with a certificate issued for it."""
        key = self.key(name)
        told = self.access("issue", person, "--reason", name, "--key", key.with_suffix(".pub"), *options)
        assert told.rc == 0, told.text
        return Login(user=person, key=key, certificate=access.certificate_of(key))

    @property
    def log(self) -> list[dict[str, Any]]:
        """What was issued."""
        return issuing.read_log(self.environment / ".ssh" / "issued.jsonl")


@pytest.fixture
def operator(declaration: Environment, tmp_path: Path) -> Iterator[Operator]:
    """An operator whose revocations are taken back in the end."""
    revocations = declaration.directory / "group_vars" / "all" / "revocations.yml"
    before = revocations.read_text(encoding="utf-8")
    yield Operator(declaration, tmp_path)
    if revocations.read_text(encoding="utf-8") != before:
        revocations.write_text(before, encoding="utf-8")
        Operator(declaration, tmp_path).play("revoke")


@pytest.fixture(autouse=True)
def _forgiven(server: Machine) -> None:
    """Debian 13's sshd shuts out sources that keep failing, as these tests do; a new process has forgotten them."""
    server.check_output("systemctl reset-failed ssh.service; systemctl restart ssh.service")


@pytest.fixture
def rung(server: Machine) -> Callable[[], str]:
    """Waits until the alarm of a break-glass login has rung, which no login waits for; what systemd then says of it."""
    unit = "art32-break-glass.service"

    def wait() -> str:
        ended = "until systemctl show -P ActiveState %s | grep -qx failed; do sleep 0.2; done"
        server.check_output(f"timeout 60 sh -c '{ended}'", unit)
        return str(server.run("systemctl is-failed %s", unit).stdout).strip()

    return wait
