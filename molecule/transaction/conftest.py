"""A host to break, and playbooks to break it with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PENDING = "/var/lib/art32/transaction/pending.json"
# A revert has this long after its timer.
GRACE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a playbook ended."""

    status: int
    output: str

    @property
    def changed(self) -> bool:
        """Whether the recap counts a change."""
        return "changed=1" in self.output

    def result(self) -> dict[str, Any]:
        """Give the task's result as the callback wrote it."""
        return dict(json.loads(self.output)["plays"][0]["tasks"][0]["hosts"]["server"])


class Host:
    """The server under test, asked over SSH as its first user."""

    def __init__(self, environment: Path) -> None:
        """Read the environment that `molecule create` wrote."""
        self.environment = environment
        settings: dict[str, Any] = {}
        for name in ("access", "testhosts"):
            settings |= yaml.safe_load((environment / "group_vars" / "all" / f"{name}.yml").read_text(encoding="utf-8"))
        inventory = yaml.safe_load((environment / "hosts.yml").read_text(encoding="utf-8"))
        self.user, self.key = settings["access_first_user"], settings["access_first_key"]
        self.container = f"{settings['testhosts_prefix']}-server"
        self.address = inventory["all"]["hosts"]["server"]["ansible_host"]
        # Whether the lantern is known to be in its first state.
        self.is_first = False

    def ssh(self, command: str, *, timeout: int = 30) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root, over a login of its own."""
        options = ["ControlPath=none", "IdentitiesOnly=yes", "ConnectTimeout=4", "StrictHostKeyChecking=no"]
        options += [f"UserKnownHostsFile={self.environment / '.ssh' / 'known_hosts'}"]
        flags = [word for option in options for word in ("-o", option)]
        argv = ["ssh", "-q", *flags, "-i", self.key, f"{self.user}@{self.address}", "sudo", "sh", "-s"]
        return subprocess.run(argv, input=command, capture_output=True, text=True, timeout=timeout, check=False)

    def lets_in(self) -> bool:
        """Whether a new login works now; one that only hangs does not count, though it may work later."""
        try:
            return self.ssh("true", timeout=5).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def says(self, command: str) -> str:
        """Give what a command prints; it has to succeed."""
        done = self.ssh(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def word(self) -> str:
        """Ask the running service which word it has loaded."""
        return self.says(
            "python3 -c 'import socket; print(socket.create_connection((\"127.0.0.1\", 7777)).recv(99).decode())'"
        )

    def file(self, path: str) -> str:
        """Give a file's content, empty when there is none."""
        return self.says(f"test ! -e {path} || cat {path}")

    def pending(self) -> dict[str, Any]:
        """Give the pending transaction, empty when there is none."""
        text = self.file(PENDING)
        return dict(json.loads(text)) if text else {}

    def settle(self) -> None:
        """Leave nothing pending of a test that failed."""
        if self.pending():
            self.ssh("art32-revert lantern", timeout=120)
            until(lambda: not self.pending(), "the revert is over", 60)

    def journal(self) -> str:
        """Give what the revert wrote."""
        return self.says("journalctl -t art32-revert -o cat --no-pager -q")

    def podman(self, *arguments: str) -> None:
        """Do something to the machine itself."""
        environment = {**os.environ, "CONTAINERS_CONF": str(CHECKOUT / "molecule" / "resources" / "containers.conf")}
        done = subprocess.run(
            ["podman", *arguments, self.container], env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def reboot(self) -> None:
        """Restart the machine and wait until it has booted."""
        self.podman("stop", "-t", "5")
        self.podman("start")
        until(lambda: self.ssh("systemctl is-system-running --wait").returncode in (0, 1), "the host has booted", 60)


def until(condition: Callable[[], object], what: str, seconds: float = GRACE_SECONDS) -> float:
    """Wait for a condition. Returns how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.3)
    return time.monotonic() - began


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


class Plays:
    """Starts playbooks, as an operator would."""

    def __init__(self, host: Host, directory: Path) -> None:
        """Keep where to run them, and where to write their variables."""
        self.host = host
        self.directory = directory
        self.number = 0

    def start(
        self,
        *flags: str,
        playbook: str = "lantern.yml",
        settings: dict[str, str] | None = None,
        **values: Any,  # noqa: ANN401 - whatever the playbook takes
    ) -> subprocess.Popen[str]:
        """Start a playbook and go on."""
        self.number += 1
        given = self.directory / f"{self.number}.json"
        given.write_text(json.dumps(values), encoding="utf-8")
        argv = [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.host.environment)),
            *("--user", self.host.user, "--private-key", self.host.key),
            *("-e", f"@{given}", *flags, str(HERE / "playbooks" / playbook)),
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), **(settings or {})}
        return subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill the controller, the workers that it forked included: each is in a session of its own."""
        for pid in [process.pid, *_descendants(process.pid)]:
            os.kill(pid, signal.SIGKILL)
        process.communicate()

    def run(self, *flags: str, **values: Any) -> Run:  # noqa: ANN401
        """Run a playbook to its end."""
        return self.end(self.start(*flags, **values))

    def end(self, process: subprocess.Popen[str]) -> Run:
        """Wait for a playbook that was started."""
        output, _ = process.communicate(timeout=180)
        return Run(status=process.returncode, output=output)

    def reusing_ssh(self) -> Path:
        """Give an ssh that drops the wish for a new connection, as a careless controller would."""
        return HERE / "playbooks" / "files" / "ssh-reusing"

    def result(self, *flags: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401
        """Run a playbook. Returns the transaction's result."""
        settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        return self.end(self.start(*flags, settings=settings, **values)).result()


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Host:
    """The server."""
    return Host(request.config.getoption("environment").resolve())


@pytest.fixture(scope="session")
def plays(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Plays:
    """Playbooks against it."""
    return Plays(host, tmp_path_factory.mktemp("values"))


@pytest.fixture
def lantern(host: Host, plays: Plays) -> Iterator[Host]:
    """The host with the lantern's first word confirmed, nothing pending; the journal when the test fails."""
    host.settle()
    if not host.is_first:
        done = plays.run()
        assert done.status == 0, done.output
    host.is_first = False
    yield host
    print(host.journal()[-3000:])  # noqa: T201 - shown only when the test failed


@pytest.fixture
def fresh(host: Host) -> Host:
    """The host as if it had never been configured."""
    host.settle()
    host.is_first = False
    host.says(
        """
        systemctl disable --now lantern.service || true
        rm -rf /etc/lantern /usr/local/lib/lantern /etc/systemd/system/lantern.service /var/lib/art32 /run/art32
        rm -f /usr/local/sbin/art32-revert /etc/systemd/system/art32-* /etc/systemd/system/*/art32-*
        systemctl daemon-reload
        """
    )
    return host
