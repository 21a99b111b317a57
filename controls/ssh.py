"""Connections to the environment's hosts: one login each, shared by everything the checks ask.

A vantage host may be the controller itself (`ansible_connection: local`): then nobody logs in anywhere.
"""

from __future__ import annotations

__all__ = ["Connections", "Login", "Unreachable"]

import getpass
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plugins.module_utils import access

from . import certificates
from .evidence import NotAssessedError

if TYPE_CHECKING:
    from .environment import Environment

# The connection, and the tunnels through it, outlast an operation between two questions; `close` ends them.
# A control socket's path may have 107 characters at most, so it lies directly below /tmp.
SHARED = """\
Host *
  ControlMaster auto
  ControlPath {directory}/%C
  ControlPersist 600
  BatchMode yes
  ConnectTimeout 10
  ServerAliveInterval 15
  IdentitiesOnly yes
  PreferredAuthentications publickey
  LogLevel ERROR
"""
REFUSED = 255  # ssh's own exit status when there is no session
NOT_ACCEPTED = ("Permission denied", "Too many authentication failures")
TIMEOUT = 120


class Unreachable(NotAssessedError):  # noqa: N818 - a state, not a fault of the program
    """No login to a host is possible."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who logs in, and with what."""

    user: str
    key: Path | None = None
    certificate: Path | None = None

    def options(self) -> dict[str, str]:
        """The lines of ssh_config that make this login."""
        values = {"User": self.user, "IdentityFile": self.key, "CertificateFile": self.certificate}
        return {name: str(value) for name, value in values.items() if value}


class Connections:
    """Multiplexed SSH to every host of an environment, configured by a file of its own."""

    def __init__(self, environment: Environment) -> None:
        """Write the configuration; nothing is contacted yet."""
        self.environment = environment
        self.directory = Path(tempfile.mkdtemp(prefix="art32-", dir="/tmp"))
        self.config = self.directory / "config"
        self._logins: dict[str, Login] = {}
        self._refused: dict[str, Unreachable] = {}
        self._tunnels: dict[tuple[str, str, int], int] = {}
        self._certificate: list[Login] | None = None
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.config.write_text(f"Include {self.directory}/*.host\n{SHARED.format(directory=self.directory)}")
        for host in environment.hostvars:
            self._write(host, self.candidates(host)[0])

    def candidates(self, host: str) -> list[Login]:
        """The logins that may work: the host's declared user, the person's certificate, the cloud's first user."""
        return [*self._declared_login(host), *self._certificate_login(), *self._first_login()] or [Login(user="root")]

    def is_here(self, host: str) -> bool:
        """Whether a host is the controller itself."""
        return str(self.environment.get("ansible_connection", "ssh", host=host)) == "local"

    def login(self, host: str) -> Login:
        """The login that works, tried once.

        Raises Unreachable with ssh's own words when none does.
        """
        if self.is_here(host):
            return Login(user=getpass.getuser())
        with self._locks[host]:
            if host in self._refused:
                raise self._refused[host]
            if host not in self._logins:
                self._logins[host] = self._first_that_works(host)
        return self._logins[host]

    def run(
        self, host: str, command: str, *, stdin: str = "", timeout: float = TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line on a host.

        Raises Unreachable when there is no session.
        """
        self.login(host)
        if self.is_here(host):
            return _run(["sh", "-c", command], stdin=stdin, timeout=timeout)
        answer = self._ssh([host, command], stdin=stdin, timeout=timeout)
        if answer.returncode == REFUSED:
            raise Unreachable(f"{host} cannot be reached over SSH: {answer.stderr.strip()}")
        return answer

    def way(self, host: str, address: str, port: int) -> tuple[str, int]:
        """Where to connect so that the connection leaves from `host` to `address` and `port`.

        That is a local port, open until the session ends. Raises Unreachable when the host does not allow it.
        """
        if self.is_here(host):
            return address, port
        way = (host, address, port)
        if way not in self._tunnels:
            self.login(host)
            local = _free_port()
            literal = f"[{address}]" if ":" in address else address
            opened = self._ssh(["-O", "forward", "-L", f"127.0.0.1:{local}:{literal}:{port}", host])
            if opened.returncode != 0:
                raise Unreachable(f"{host} opens no tunnel to {address} port {port}: {opened.stderr.strip()}")
            self._tunnels[way] = local
        return "127.0.0.1", self._tunnels[way]

    def attempt(self, host: str, login: Login, **options: str) -> subprocess.CompletedProcess[str]:
        """Try a login of its own, shared with nothing; ssh's exit status and its own words."""
        path = self.directory / f"{host}.attempt"
        shared = {"ControlMaster": "no", "ControlPath": "none", "LogLevel": "INFO", **options}
        lines = [*self._stanza(host, login), *(f"  {name} {value}" for name, value in shared.items())]
        path.write_text("\n".join([*lines, SHARED.format(directory=self.directory)]))
        command = ["ssh", "-F", str(path), host, "true"]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)

    def close(self) -> None:
        """End every session and remove the configuration."""
        for host in self._logins:
            self._ssh(["-O", "exit", host])
        shutil.rmtree(self.directory, ignore_errors=True)

    def _first_that_works(self, host: str) -> Login:
        try:
            return self._try_all(host)
        except Unreachable as error:
            # A watch comes again soon; hosts shut out whoever fails often, and with it all else that its machine does.
            if self.environment.get("audit_observer", host=host):
                self._refused[host] = error
            raise

    def _try_all(self, host: str) -> Login:
        """The first login that is accepted; a host that does not answer is not asked again."""
        said = ""
        for login in self.candidates(host):
            self._write(host, login)
            answer = self._ssh([host, "true"], timeout=30)
            if answer.returncode == 0:
                return login
            said = f"as {login.user}: {answer.stderr.strip()}"
            if not any(words in said for words in NOT_ACCEPTED):
                break
        raise Unreachable(f"{host} cannot be reached over SSH {said}")

    def _ssh(
        self, arguments: list[str], *, stdin: str = "", timeout: float = TIMEOUT
    ) -> subprocess.CompletedProcess[str]:
        return _run(["ssh", "-F", str(self.config), *arguments], stdin=stdin, timeout=timeout)

    def _write(self, host: str, login: Login) -> None:
        (self.directory / f"{host}.host").write_text("\n".join([*self._stanza(host, login), ""]))

    def _stanza(self, host: str, login: Login) -> list[str]:
        variables = {
            "HostName": self.environment.get("ansible_host", host, host=host),
            "Port": self.environment.get("ansible_port", "", host=host),
        }
        options = {**variables, **login.options(), **self._declared_options(host)}
        return [f"Host {host}", *(f"  {name} {value}" for name, value in options.items() if value)]

    def _declared_options(self, host: str) -> dict[str, str]:
        """The `-o` options among Ansible's own SSH arguments."""
        names = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
        words = [word for name in names for word in shlex.split(self.environment.get(name, "", host=host))]
        pairs = [
            word.removeprefix("-o") for before, word in zip(["", *words], words, strict=False) if _is_pair(before, word)
        ]
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}

    def _declared_login(self, host: str) -> list[Login]:
        user = self.environment.get("ansible_user", "", host=host)
        key = self.environment.get("ansible_ssh_private_key_file", "", host=host)
        return [Login(user=user, key=Path(key) if key else None)] if user else []

    def _certificate_login(self) -> list[Login]:
        if self._certificate is None:
            try:
                key = certificates.issue(self.environment, self.environment.directory / ".access", "audit")
                self._certificate = [Login(user=key.name, key=key, certificate=access.certificate_of(key))]
            except NotAssessedError:
                self._certificate = []
        return self._certificate

    def _first_login(self) -> list[Login]:
        user, key = self.environment.get("access_first_user", ""), self.environment.get("access_first_key", "")
        return [Login(user=user, key=Path(key))] if user and key else []


def _run(command: list[str], *, stdin: str, timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, REFUSED, "", f"no answer after {timeout:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_pair(before: str, word: str) -> bool:
    return "=" in word and (before == "-o" or (word.startswith("-o") and len(word) > len("-o")))
