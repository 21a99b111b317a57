"""An audit that only observes leaves every host as it was, and each of its findings rests on what it kept."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from controls.environment import Environment
    from controls.machine import Lab, Machine

    State = Callable[[Machine], str]

ROOT = Path(__file__).parents[2]
PSQL = "cd /; runuser -u postgres -- psql -Xqc"
# What no service reads, so that nothing has to be loaded again afterwards.
TRACES = {
    "a file": ("echo >>/etc/issue", "/etc/issue"),
    "a rule": ("iptables -A INPUT -p tcp --dport 8080 -j ACCEPT", "--dport 8080"),
    "a grant": (f"{PSQL} 'GRANT pg_monitor TO platform'", "  -"),
    "a unit": ("systemctl disable --quiet apt-daily-upgrade.timer", "apt-daily-upgrade.timer"),
}
UNDONE = {
    "a file": "truncate -s -1 /etc/issue",
    "a rule": "iptables -D INPUT -p tcp --dport 8080 -j ACCEPT",
    "a grant": f"{PSQL} 'REVOKE pg_monitor FROM platform'",
    "a unit": "systemctl enable --quiet apt-daily-upgrade.timer",
}


def differences(before: str, after: str) -> list[str]:
    """The lines in which two states differ."""
    told = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=0)
    return [line for line in told if not line.startswith("@@")]


@pytest.fixture(scope="module")
def machines(declaration: Environment, lab: Lab) -> list[Machine]:
    """Every host that is audited."""
    return [lab.machine(name) for name in declaration.managed]


@pytest.fixture(scope="module")
def before(machines: list[Machine], state: State) -> dict[str, str]:
    """The hosts before they were asked."""
    return {machine.name: state(machine) for machine in machines}


@pytest.fixture(scope="module")
def bundle(before: dict[str, str], declaration: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an audit as production has it found."""
    del before  # first of all the hosts are looked at
    evidence = tmp_path_factory.mktemp("evidence")
    words = ["-i", str(declaration.directory), "playbooks/audit.yml", "-e", f"audit_directory={evidence}"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("MOLECULE_")}
    settings["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    done = subprocess.run(
        ["ansible-playbook", *words], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return evidence / "latest"


def test_an_audit_leaves_every_host_as_it_was(
    bundle: Path, before: dict[str, str], machines: list[Machine], state: State
) -> None:
    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    assert {entry["host"] for entry in report["controls"]} == set(before)
    found = {machine.name: differences(before[machine.name], state(machine)) for machine in machines}
    assert found == {name: [] for name in before}


def test_every_finding_rests_on_an_output_with_its_tool(bundle: Path) -> None:
    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    index = {entry["path"]: entry for entry in json.loads((bundle / "raw/index.json").read_text(encoding="utf-8"))}
    page = (bundle / "report.html").read_text(encoding="utf-8")
    for control in report["controls"]:
        for check in control["checks"]:
            assert check["evidence"], (control["id"], control["host"], check)
            for path in check["evidence"]:
                assert (bundle / path).is_file(), path
                assert f'href="{path}"' in page, path
                assert re.search(r"\d", index[path]["tool"]), index[path]


def test_nothing_is_met_that_a_missing_tool_would_have_told(bundle: Path, tmp_path: Path) -> None:
    """Every program of every host is taken away from what was kept; only what the declaration itself says is left."""
    poor = tmp_path / "poor"
    shutil.copytree(bundle.resolve(), poor)
    index = json.loads((poor / "raw" / "index.json").read_text(encoding="utf-8"))
    for entry in index:
        if entry["host"] != "declaration":
            entry.update(rc=127, stderr="not found")
            (poor / entry["path"]).write_text("", encoding="utf-8")
    (poor / "raw" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    report = json.loads((poor / "report.json").read_text(encoding="utf-8"))
    for control in report["controls"]:
        for check in control["checks"]:
            if not all(path.startswith("raw/declaration/") for path in check["evidence"]):
                check["status"] = "met"  # so that each which is still met would not be told
    (poor / "report.json").write_text(json.dumps(report), encoding="utf-8")
    told = subprocess.run([str(ROOT / "scripts" / "rejudge"), str(poor)], capture_output=True, text=True, check=False)
    assert told.returncode == 1, told.stdout + told.stderr
    counted = re.search(r"(\d+) of (\d+) checks have the same verdict", told.stdout)
    assert counted, told.stdout
    same, checks = map(int, counted.groups())
    declared = [
        check
        for control in report["controls"]
        for check in control["checks"]
        if all(path.startswith("raw/declaration/") for path in check["evidence"])
    ]
    assert same == len(declared) < checks, told.stdout


@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_would_be_seen(server: Machine, state: State, trace: str) -> None:
    command, sign = TRACES[trace]
    before = state(server)
    server.check_output(command)
    try:
        assert any(sign in line for line in differences(before, state(server)))
    finally:
        server.check_output(UNDONE[trace])
