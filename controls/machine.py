"""A host as checks and scenario tests see it: testinfra's own host, with the audit's questions added."""

from __future__ import annotations

__all__ = ["Lab", "Machine"]

import json
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import testinfra.backend
from testinfra.host import Host

from . import sources, tools
from .evidence import VERSIONS, Evidence, NotAssessedError, Store
from .scans import Scans
from .ssh import Connections, Unreachable

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from .environment import Environment
    from .ssh import Login

REMOTE = Path(__file__).parent / "remote"
COMMAND_SECONDS = 120
COMMANDS_AT_ONCE = 4
PORT_SECONDS = 2
SCAN_SECONDS, SCRIPT_SECONDS = 840, 900
LOGIN = "login"  # the name of the output that says why nobody gets in


class Lab:
    """Everything one session of checks shares: the declaration, the connections, the raw outputs."""

    def __init__(self, environment: Environment, store: Store, *, kept_only: bool = False) -> None:
        """Nothing is contacted yet; with `kept_only` nothing ever is, and what is in the store has to do."""
        self.environment = environment
        self.store = store
        self.kept_only = kept_only
        self.pool = ThreadPoolExecutor(8)
        self._machines: dict[str, Machine] = {}

    def machine(self, host: str) -> Machine:
        """The machine of this name, always the same one."""
        if host not in self._machines:
            self._machines[host] = Machine(host, self)
        return self._machines[host]

    def declared(self, name: str, **values: object) -> Evidence:
        """Keep what the environment declares as evidence of a check that rests on it."""
        text = json.dumps(values, indent=1, default=str)
        kept = self.store.keep(
            host="declaration",
            name=name,
            command="ansible-inventory --list",
            rc=0,
            stdout=text,
            tool=f"ansible-core {tools.controller()['ansible-core']}",
        )
        return self.store.use(kept)

    @cached_property
    def connections(self) -> Connections:
        """The logins, made when first needed.

        Raises NotAssessedError where nobody may be contacted.
        """
        if self.kept_only:
            raise NotAssessedError("this was not kept, and judging again contacts nobody")
        return Connections(self.environment)

    def settle(self) -> None:
        """Wait until everything that was asked is told."""
        self.pool.shutdown()

    def close(self) -> None:
        """End what was begun."""
        self.settle()
        if "connections" in self.__dict__:
            self.connections.close()

    @cached_property
    def scans(self) -> Scans:
        """What answers from the vantage hosts; begun when first asked for."""
        return Scans(self)

    def collect(self, hosts: Iterable[str]) -> None:
        """Ask several hosts at once for all that the checks will want to know, and log in where they look from."""
        with ThreadPoolExecutor(8) as pool:
            for vantage in {host for part in ("visitor", "management") for host in self.environment.hosts(part)}:
                self.pool.submit(self.connections.login, vantage)
            list(pool.map(lambda host: self.machine(host).collect(), hosts))


class Machine(Host):
    """One host of the environment; `run`, `file`, `service` and the like are testinfra's, as root where managed."""

    def __init__(self, name: str, lab: Lab) -> None:
        """Prepare the connection; it is made when first used."""
        self.name = name
        self.lab = lab
        self.is_managed = name in lab.environment.managed
        self._unreachable = ""
        self._told_later: dict[str, Future[dict[str, Evidence]]] = {}
        self._collected = lab.kept_only
        if not lab.kept_only:
            options = {"ssh_config": str(lab.connections.config), "sudo": self.is_managed}
            where = "local://" if lab.connections.is_here(name) else f"ssh://{name}"
            super().__init__(testinfra.backend.get_backend(where, **options))
            self.backend.set_host(self)

    def run(self, command: str, *args: str, **kwargs: Any) -> Any:  # noqa: ANN401 - testinfra's own types
        """Run a command as testinfra does, over the login that works."""
        self.lab.connections.login(self.name)
        return super().run(command, *args, **kwargs)

    @property
    def addresses(self) -> list[str]:
        """Its declared addresses, IPv4 first."""
        return self.lab.environment.addresses(self.name)

    def variable(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as declared
        """A declared variable's value on this host."""
        return self.lab.environment.get(name, default, host=self.name)

    def collect(self) -> None:
        """Ask, in one round trip, for every output that the checks of this host's parts want.

        What a service tells of itself takes it seconds: that is asked at the same time, in a round trip of its own, and
        waited for by whoever wants to know it.
        """
        if self._collected:
            return
        self._collected = True
        commands = sources.for_host(self.lab.environment, self.name)
        slow = {name: line for name, line in commands.items() if name.startswith(sources.SLOW)}
        try:
            self.lab.connections.login(self.name)
            if slow:
                told = self.lab.pool.submit(self.fetch_all, slow)
                self._told_later = dict.fromkeys(slow, told)
            self.fetch_all({name: line for name, line in commands.items() if name not in slow})
        except Unreachable as error:
            self._unreachable = str(error)
            keep = self.lab.store.keep
            keep(host=self.name, name=LOGIN, command=f"ssh {self.name}", rc=1, stdout=str(error), tool=tools.ssh())

    def observed(self, name: str) -> Evidence:
        """One of the collected outputs, counted as evidence of the running check.

        Raises NotAssessedError when the host could not be asked.
        """
        return self.lab.store.use(self.collected(name))

    def collected(self, name: str) -> Evidence:
        """One of the collected outputs, for whoever is no check.

        Raises NotAssessedError when the host could not be asked.
        """
        self.collect()
        if name in self._told_later:
            self._told_later[name].result()
        kept = self.lab.store.find(self.name, name)
        if kept is None:
            refused = self.lab.store.find(self.name, LOGIN)
            if refused:
                self.lab.store.use(refused)
            raise NotAssessedError(self._unreachable or f"{name} was not asked of {self.name}")
        return kept

    def recalled(self, name: str) -> Evidence | None:
        """When an audit is judged again, what it kept under this name, counted as evidence; else None.

        Raises NotAssessedError when it kept nothing under this name.
        """
        return self.observed(name) if self.lab.kept_only else None

    def fetch(self, name: str, command: str) -> Evidence:
        """Run one shell line, as root where managed, keep what it says and count it as this check's evidence."""
        return self.lab.store.use(self.fetch_all({name: command})[name])

    def fetch_all(self, commands: Mapping[str, str], *, seconds: int = COMMAND_SECONDS) -> dict[str, Evidence]:
        """Run several shell lines in one round trip and keep what each says.

        Raises Unreachable when the host cannot be asked.
        """
        if self.lab.kept_only:
            return {name: self.collected(name) for name in commands}
        if not self.lab.store.find(self.name, VERSIONS):
            commands = {VERSIONS: tools.VERSIONS, **commands}
        answers = self._ask(commands, seconds)
        keep = partial(self.lab.store.keep, host=self.name)
        return {name: keep(name=name, command=command, **answers[name]) for name, command in commands.items()}

    def scan(self, name: str, command: str) -> Evidence:
        """As `fetch`, of a scanner, which takes minutes."""
        return self.lab.store.use(self.sweep(name, command))

    def sweep(self, name: str, command: str) -> Evidence:
        """As `scan`, begun for several checks, so that none uses it yet."""
        return self.fetch_all({name: command}, seconds=SCAN_SECONDS)[name]

    def attempt(self, name: str, login: Login, **options: str) -> Evidence:
        """Try a login from the controller that shares nothing with the session; what ssh told is kept."""
        kept = self.recalled(name)
        if kept:
            return kept
        told = self.lab.connections.attempt(self.name, login, **options)
        command = f"ssh {login.user}@{self.name} true"
        kept = self.lab.store.keep(
            host=self.name,
            name=name,
            command=command,
            rc=told.returncode,
            stdout=told.stderr,
            stderr=told.stderr,
            tool=tools.ssh(),
        )
        return self.lab.store.use(kept)

    def try_ports(self, name: str, targets: list[tuple[str, int]]) -> Evidence:
        """Try TCP connections from here; a line for each address and port says what was met: open, refused, silent."""
        if self.lab.kept_only:
            return self.collected(name)
        version, found = self._run_remote("probe.py", targets, PORT_SECONDS)
        text = "".join(f"{address} {port} {outcome}\n" for address, port, outcome in found)
        return self.lab.store.keep(
            host=self.name, name=name, command="TCP connect", rc=0, stdout=text, tool=f"Python {version}"
        )

    def can_connect(self, address: str, port: int) -> bool:
        """Whether a TCP port answers a connection from here."""
        _, [[*_, outcome]] = self._run_remote("probe.py", [(address, port)], PORT_SECONDS)
        return str(outcome) == "open"

    def keep(self, name: str, command: str, text: str, *, tool: str = "") -> Evidence:
        """Keep what the controller's Python, or another tool of its, saw from this host as the check's evidence."""
        keep = self.lab.store.keep
        kept = keep(host=self.name, name=name, command=command, rc=0, stdout=text, tool=tool or tools.python())
        return self.lab.store.use(kept)

    def way(self, address: str, port: int) -> tuple[str, int]:
        """Where to connect so that the connection leaves from this host."""
        return self.lab.connections.way(self.name, address, port)

    def restore_drill(self, databases: list[str]) -> Evidence:
        """Restore this host's newest backup beside the live cluster and count the rows of both."""
        answer = self._send("restore.py", self.name, databases)
        kept = self.lab.store.keep(
            host=self.name,
            name="restore-beside",
            command="pgbackrest restore",
            rc=answer.returncode,
            stdout=answer.stdout,
            stderr=answer.stderr,
        )
        return self.lab.store.use(kept)

    def _ask(self, commands: Mapping[str, str], seconds: int) -> dict[str, dict[str, Any]]:
        """Let the host run shell lines; where the login may do nothing but look, by the one program that it may run."""
        answers: dict[str, dict[str, Any]]
        if self.variable("audit_observer"):
            asked = json.dumps(dict(commands))
            told = self.lab.connections.run(self.name, "observe", stdin=asked, timeout=SCRIPT_SECONDS)
            answers = self._answered(told)
        else:
            answers = self._run_remote("collect.py", dict(commands), seconds, COMMANDS_AT_ONCE)
        return answers

    def _run_remote(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - the script's answer
        """Send a script to the host's Python and return the JSON that it prints."""
        return self._answered(self._send(script, *arguments))

    def _answered(self, answer: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - the program's answer
        if answer.returncode != 0:
            raise Unreachable(f"{self.name} cannot be asked: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def _send(self, script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Send a script to the host's Python, which runs its `main` with the arguments; as root where managed."""
        program = (REMOTE / script).read_text(encoding="utf-8")
        program += f"\nmain(*json.loads({json.dumps(arguments)!r}))\n"
        root = '$(test "$(id -u)" = 0 || echo sudo -n) ' if self.is_managed else ""
        command = f'{root}python3 - "$SSH_CONNECTION"'
        return self.lab.connections.run(self.name, command, stdin=program, timeout=SCRIPT_SECONDS)
