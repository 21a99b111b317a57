"""The host, what is live on it, and which of the faults are tried this time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutant_matrix
import pytest
from faults import (
    AUTHORITIES,
    BEFORE,
    BEFORE6,
    DEFAULTS,
    FAULTS,
    HBA,
    LOAD,
    PRINCIPALS,
    RULES,
    RULES6,
    SSHD,
    Fault,
)

from controls import certificates
from tests.resumable import Resumable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from controls.environment import Environment

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PENDING = "/var/lib/art32/transaction/pending.json"
# While the first file is there, a change is held in the middle; the second says that it is.
HOLD, HELD = "/run/hold", "/run/held"
LET_GO = f"rm -f {HOLD}"
NO_SESSION = 255  # ssh's own exit status
# The timer of a change here, and how long a revert may take after it.
TIMER, GRACE = 10, 30
# How often each interruption is tried, and how many of each area a sample has.
TRIES = {"controller": 7, "module": 7, "link": 6, "reboot": 10}
SAMPLE = {"sshd": 3, "firewall": 3, "pg_hba": 2}
MATRIX = Resumable(
    name="lockout",
    variable="ART32_LOCKOUT",
    tests=("test_faults.py", "test_interruptions.py"),
    paths=("plugins", "roles", "molecule/lockout", "molecule/resources"),
)
OWNED = "/etc/ssh /etc/ufw /etc/default/ufw /etc/default/ssh {pg}"
FINGERPRINT = f"""
find {OWNED} -type f -exec sha256sum {{{{}}}} + | sort
for family in iptables ip6tables; do
  $family-save -t filter | sed 's/\\[[0-9:]*\\]//; /^#/d'
  $family-save -t raw | grep '^-A' || true
done
iptables-legacy -S | head -1
"""


def chosen() -> tuple[list[Fault], dict[str, int]]:
    """The faults and the numbers of interruptions of this run; a sample depends on ART32_SEED alone."""
    if MATRIX.is_whole:
        return FAULTS, TRIES
    choice = random.Random(MATRIX.seed)  # noqa: S311 - a sample
    faults = [
        fault
        for area, count in SAMPLE.items()
        for fault in choice.sample([fault for fault in FAULTS if fault.area == area], count)
    ]
    return faults, dict.fromkeys(TRIES, 1)


def pytest_report_header() -> list[str]:
    """Say which sample this is."""
    faults, tries = chosen()
    which = "everything" if MATRIX.is_whole else f"a sample, ART32_SEED={MATRIX.seed}"
    return [
        f"lockout: {which}: {', '.join(fault.name for fault in faults)}; interruptions {tries}",
        mutant_matrix.MATRIX.header(),
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its faults."""
    faults, tries = chosen()
    if "fault" in metafunc.fixturenames:
        metafunc.parametrize("fault", faults, ids=[fault.name for fault in faults])
    if "sshd_fault" in metafunc.fixturenames:
        # What a setting says; a file that a setting points to is not even read by `sshd -t`.
        settings = [fault for fault in faults if fault.area == "sshd" and fault.is_setting]
        metafunc.parametrize("sshd_fault", settings, ids=[fault.name for fault in settings])
    for kind, count in tries.items():
        if f"{kind}_try" in metafunc.fixturenames:
            metafunc.parametrize(f"{kind}_try", range(count))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what passed already."""
    for matrix in (MATRIX, mutant_matrix.MATRIX):
        matrix.leave_out_passed(config, items)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what passed."""
    for matrix in (MATRIX, mutant_matrix.MATRIX):
        matrix.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """When everything has passed with one tree, keep that as a dated result."""
    if not exitstatus:
        mutant_matrix.MATRIX.conclude(Path(session.config.getoption("environment")).resolve())
    passed = MATRIX.passed()
    if passed and not exitstatus and not session.config.option.keyword:
        faults = {area: sum(fault.area == area for fault in FAULTS) for area in SAMPLE}
        MATRIX.write_result(
            "every way to be locked out", {"faults": faults, "interruptions": TRIES, "passed": len(passed)}
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a playbook ended, and after how many seconds."""

    status: int
    output: str
    seconds: float


class Host:
    """The server, entered anew each time with jane's certificate."""

    def __init__(self, declaration: Environment) -> None:
        """Learn its addresses, and where PostgreSQL's files are."""
        self.environment = declaration.directory
        self.declaration = declaration
        self.address = declaration.addresses("server")[0]
        self.container = f"{declaration.get('testhosts_prefix')}-server"
        self.renew()
        self.pg = self.says("ls -d /etc/postgresql/*/main")

    def renew(self) -> None:
        """Have a certificate that lasts."""
        self.key = certificates.issue(self.declaration, self.environment / ".access", "lockout")

    def ssh(self, command: str, *, timeout: int = 40) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root, over a login of its own."""
        known = self.environment / ".ssh" / "known_hosts"
        options = ["ControlPath=none", "IdentitiesOnly=yes", "ConnectTimeout=15", f"UserKnownHostsFile={known}"]
        flags = [word for option in options for word in ("-o", option)]
        argv = ["ssh", "-q", "-F", "none", *flags, "-i", str(self.key), f"jane@{self.address}", "sudo", "sh", "-s"]
        return subprocess.run(argv, input=command, capture_output=True, text=True, timeout=timeout, check=False)

    def lets_in(self) -> bool:
        """Whether a new login works now."""
        try:
            return self.ssh("true", timeout=5).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def says(self, command: str) -> str:
        """Give what a command prints; it has to succeed.

        While sshd reads its settings anew nobody gets in for a moment: then it is tried again.
        """
        end = time.monotonic() + TIMER
        done = self.ssh(command)
        while done.returncode == NO_SESSION and time.monotonic() < end:
            done = self.ssh(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def pending(self) -> dict[str, Any]:
        """Give the pending transaction, empty when there is none."""
        text = self.says(f"test ! -e {PENDING} || cat {PENDING}")
        return dict(json.loads(text)) if text else {}

    def live(self) -> Mapping[str, str]:
        """The files that faults are made of."""
        paths = [SSHD, AUTHORITIES, PRINCIPALS, RULES, RULES6, BEFORE, BEFORE6, DEFAULTS, HBA]
        return {path: self.says(f"cat {path.format(pg=self.pg)}") + "\n" for path in paths}

    def fingerprint(self) -> str:
        """Everything that decides who gets in."""
        return self.says(FINGERPRINT.format(pg=self.pg))

    def is_at_rest(self) -> bool:
        """Whether nothing is pending and no timer armed."""
        timers = "systemctl list-timers --all 'art32-revert-*' --no-legend | wc -l"
        return not self.pending() and self.says(timers) == "0"

    def forgive(self) -> None:
        """Debian 13's sshd shuts out sources that keep failing, as these tests do."""
        self.ssh("systemctl reset-failed ssh.service; systemctl restart ssh.service")

    def podman(self, *arguments: str) -> None:
        """Do something to the machine itself."""
        environment = {**os.environ, "CONTAINERS_CONF": str(CHECKOUT / "molecule" / "resources" / "containers.conf")}
        done = subprocess.run(
            ["podman", *arguments, self.container], env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def values(self, fault: Fault) -> dict[str, Any]:
        """What the playbook is given for a fault."""
        # A command alone is no difference; a file that nobody reads is.
        mark = {f"/etc/art32/{fault.name}": {"content": "a fault\n", "mode": "0644"}} if fault.commands else {}
        made = {**mark, **fault.change(self.live())}
        files = [
            {
                "dest": path.format(pg=self.pg),
                **(entry if isinstance(entry, dict) else {"content": entry, "mode": self.mode(path)}),
                **({"owner": "postgres", "group": "postgres"} if fault.area == "pg_hba" else {}),
            }
            for path, entry in made.items()
        ]
        return {"files": files, **self.machinery(fault), "seconds": TIMER}

    def mode(self, path: str) -> str:
        """A file's mode as it is."""
        return f"0{self.says(f'stat -c %a {path.format(pg=self.pg)}')}"

    def machinery(self, fault: Fault) -> dict[str, Any]:
        """How the roles validate, activate and probe."""
        steps = [{"command": ["sh", "-c", do], "undo": ["sh", "-c", undo]} for do, undo in fault.commands]
        if fault.area == "sshd":
            return {
                "validate": [{"command": "/usr/sbin/sshd -t", "overlay": ["/etc/ssh"]}],
                "activate": [{"unit": "ssh.service", "verb": "reload-or-restart"}, *steps],
                "probes": [{"unit": "ssh.service"}, {"port": 22}],
            }
        if fault.area == "firewall":
            load = [{"command": LOAD, "files": ["/etc/ufw/*", "/etc/default/ufw"]}]
            test = {"command": "/usr/local/lib/art32/firewall test", "overlay": ["/etc/ufw", "/etc/default"]}
            return {"validate": [test], "activate": [*load, *steps], "probes": [{"unit": "ufw.service"}]}
        version = self.pg.split("/")[3]
        ask = ["runuser", "-u", "postgres", "--", "psql", "-XAtc", "select 1"]
        return {
            "validate": [],
            "activate": [{"command": f"/usr/local/lib/art32/postgresql-load {version}"}],
            "probes": [{"command": ask, "timeout": 3}],
        }


class Plays:
    """Starts the playbook, as an operator would."""

    def __init__(self, host: Host, directory: Path) -> None:
        """Keep where to write its variables."""
        self.host, self.directory, self.number = host, directory, 0

    def start(self, values: Mapping[str, Any]) -> subprocess.Popen[str]:
        """Start it and go on."""
        self.number += 1
        given = self.directory / f"{self.number}.json"
        given.write_text(json.dumps(values), encoding="utf-8")
        argv = [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.host.environment)),
            *("--user", "jane", "--private-key", str(self.host.key)),
            *("-e", f"@{given}", str(HERE / "playbooks" / "fault.yml")),
        ]
        settings = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env=settings,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def end(self, process: subprocess.Popen[str]) -> Run:
        """Wait for it."""
        began = time.monotonic()
        output, _ = process.communicate(timeout=180)
        return Run(status=process.returncode, output=output, seconds=time.monotonic() - began)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill the controller with the workers that it forked."""
        for pid in [process.pid, *_descendants(process.pid)]:
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def until(condition: Callable[[], object], what: str, seconds: float) -> float:
    """Wait for a condition. Returns how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.3)
    return time.monotonic() - began


@pytest.fixture(scope="session")
def whole_host(declaration: Environment) -> Host:
    """The server."""
    return Host(declaration)


@pytest.fixture
def host(whole_host: Host) -> Iterator[Host]:
    """The server at rest; what its reverts said, when the test fails."""
    whole_host.renew()
    until(lambda: whole_host.ssh(LET_GO).returncode == 0, "somebody gets in", TIMER + GRACE)  # after a test that failed
    until(whole_host.is_at_rest, "nothing is pending", TIMER + GRACE)
    whole_host.forgive()
    yield whole_host
    print(whole_host.ssh("journalctl -t art32-revert -o cat --no-pager -q -n 30").stdout)  # noqa: T201


@pytest.fixture(scope="session")
def plays(whole_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Plays:
    """Playbooks against it."""
    return Plays(whole_host, tmp_path_factory.mktemp("values"))
