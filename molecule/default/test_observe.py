"""An audit that only observes leaves a managed host as it was: configuration, rules, grants, units and every row."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.environment import Environment
    from controls.machine import Machine

ROOT = Path(__file__).parents[2]
PSQL = "cd /; runuser -u postgres -- psql -Xqc"
TRACES = {
    "a file": ("echo >>/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
    "a rule": ("iptables -A INPUT -p tcp --dport 8080 -j ACCEPT", "--dport 8080"),
    "a grant": (f"{PSQL} 'GRANT pg_monitor TO platform'", "  -"),
    "a unit": ("systemctl disable --quiet apt-daily-upgrade.timer", "apt-daily-upgrade.timer"),
}
UNDONE = {
    "a file": "truncate -s -1 /etc/nginx/nginx.conf",
    "a rule": "iptables -D INPUT -p tcp --dport 8080 -j ACCEPT",
    "a grant": f"{PSQL} 'REVOKE pg_monitor FROM platform'",
    "a unit": "systemctl enable --quiet apt-daily-upgrade.timer",
}


def differences(before: str, after: str) -> list[str]:
    """The lines in which two states differ."""
    told = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=0)
    return [line for line in told if not line.startswith("@@")]


@pytest.fixture
def audit(declaration: Environment, tmp_path: Path) -> Callable[[], Path]:
    """Audits as production does; the bundle."""

    def run() -> Path:
        words = ["-i", str(declaration.directory), "playbooks/audit.yml", "-e", f"audit_directory={tmp_path}"]
        settings = {name: value for name, value in os.environ.items() if not name.startswith("MOLECULE_")}
        settings["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
        done = subprocess.run(
            ["ansible-playbook", *words], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return tmp_path / "latest"

    return run


def test_an_audit_leaves_every_host_as_it_was(
    declaration: Environment,
    request: pytest.FixtureRequest,
    state: Callable[[Machine], str],
    audit: Callable[[], Path],
) -> None:
    machines: list[Machine] = [request.getfixturevalue("lab").machine(name) for name in declaration.managed]
    before = [state(machine) for machine in machines]
    report = json.loads((audit() / "report.json").read_text(encoding="utf-8"))
    assert {entry["host"] for entry in report["controls"]} == {machine.name for machine in machines}
    found = {machine.name: differences(was, state(machine)) for machine, was in zip(machines, before, strict=True)}
    assert found == {machine.name: [] for machine in machines}


@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_would_be_seen(server: Machine, state: Callable[[Machine], str], trace: str) -> None:
    command, sign = TRACES[trace]
    before = state(server)
    server.check_output(command)
    try:
        assert any(sign in line for line in differences(before, state(server)))
    finally:
        server.check_output(UNDONE[trace])
