"""The no-change run of the whole site beside 146 `command: true` tasks, over the same SSH with the same ansible.cfg.

Prints the ratio of the wall times (the median of the rounds) and the calls of the connection by host: every module,
every plain command and every transfer counts. Writes both, dated, to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
TASKS = 146
RATIO_ALLOWED = 0.15
CALLS_ALLOWED = 18


def plain_tasks(path: Path, host: str) -> None:
    """Write the play to compare with: as many tasks as a stock stack for a part of this job, the cheapest there are."""
    tasks = [{"name": f"Do nothing, {number}", "ansible.builtin.command": "true"} for number in range(1, TASKS + 1)]
    play = {"name": "Plain tasks", "hosts": host, "gather_facts": False, "become": True, "tasks": tasks}
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")


def run(environment: Path, playbooks: list[str], count: Path) -> tuple[float, str]:
    """Run ansible-playbook with counted connections; the wall time in seconds and what it printed.

    Raises SystemExit when the run fails.
    """
    here = Path(__file__).resolve().parent
    settings = {
        "ART32_COUNT": str(count),
        "ANSIBLE_SSH_EXECUTABLE": str(here / "count-ssh"),
        "ANSIBLE_SFTP_EXECUTABLE": str(here / "count-sftp"),
        "ANSIBLE_SCP_EXECUTABLE": str(here / "count-scp"),
        "ANSIBLE_NOCOLOR": "1",
    }
    start = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-i", str(environment), *playbooks],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(playbooks)} failed:\n{done.stdout}\n{done.stderr}")
    return seconds, done.stdout


def calls(count: Path, addresses: dict[str, str]) -> Counter[str]:
    """The calls of the connection by host name; the multiplexer's own control commands are no executions."""
    found: Counter[str] = Counter()
    for line in count.read_text(encoding="utf-8").splitlines():
        tool, _, arguments = line.partition("\t")
        words = arguments.split()
        if tool == "ssh" and "-O" in words:
            continue
        found.update({host for host, address in addresses.items() if address in words or f"[{address}]" in words})
    return found


def hosts(environment: Path) -> dict[str, str]:
    """The environment's hosts and their addresses."""
    text = subprocess.run(
        ["ansible-inventory", "-i", str(environment), "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    variables = json.loads(text)["_meta"]["hostvars"]
    return {host: str(values["ansible_host"]) for host, values in variables.items() if "ansible_host" in values}


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--host", default="server")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    addresses = hosts(options.environment)
    site: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        playbook = Path(folder) / "plain.yml"
        plain_tasks(playbook, options.host)
        login = str(ROOT / "playbooks" / "login.yml")
        print("==> bench: one run of the site to settle it", flush=True)
        run(options.environment, ["site.yml"], Path(folder) / "settle")
        for number in range(1, options.rounds + 1):
            count = Path(folder) / f"count-{number}"
            seconds, output = run(options.environment, ["site.yml"], count)
            if "changed=0" not in output or any(f"changed={n}" in output for n in range(1, 10)):
                raise SystemExit(f"bench: the site still changes something:\n{output}")
            site.append(seconds)
            seconds, _ = run(options.environment, [login, str(playbook)], Path(folder) / f"plain-{number}")
            plain.append(seconds)
            said = f"site {site[-1]:.1f} s, plain {plain[-1]:.1f} s"
            print(f"==> bench: round {number} of {options.rounds}: {said}", flush=True)
        counted = calls(Path(folder) / f"count-{options.rounds}", addresses)
    ratio = statistics.median(site) / statistics.median(plain)
    told = {
        "site_seconds": [round(value, 2) for value in site],
        "plain_seconds": [round(value, 2) for value in plain],
        "ratio": round(ratio, 3),
        "ratio_allowed": RATIO_ALLOWED,
        "calls": dict(sorted(counted.items())),
        "calls_allowed": CALLS_ALLOWED,
    }
    result = keep(
        "no-change",
        f"no-change run of site.yml beside {TASKS} plain tasks",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0 if ratio <= RATIO_ALLOWED and counted[options.host] <= CALLS_ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
