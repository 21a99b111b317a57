"""From nothing to a proved environment: the seconds of the three commands, on fresh test hosts of its own.

The hosts are booted from the bare image, as a cloud would hand them out; that is not counted. Then an operator's three
commands: playbooks/bootstrap.yml writes the environment, site.yml makes everything true, playbooks/audit.yml proves it.
Writes the figures, dated, to bench/results/, and removes the hosts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
MACHINES = ROOT / "molecule" / "default" / "testhosts.yml"


def main() -> int:
    """Boot the hosts, run the three commands one after the other, each once, and end the hosts."""
    names = [str(ROOT / "molecule" / "resources" / "names"), "prefix"]
    prefix = subprocess.run(names, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="art32-new-") as scratch:
        directory = Path(scratch)
        environment, answers = directory / "production", directory / "answers.yml"
        hosts = ["-e", f"testhosts_prefix={prefix}-new", "-e", "testhosts_scenario=production"]
        hosts += ["-e", f"testhosts_directory={directory}", "-e", f"testhosts_environment={environment}"]
        hosts += ["-e", f"testhosts_wanted_file={MACHINES}", "-e", f"testhosts_answers_file={answers}"]
        hosts += ["-e", "testhosts_image=server-bare"]
        wanted = ["-e", "env=production", "-e", f"destination={environment}", "-e", f"@{answers}"]
        try:
            booted = run("localhost,", "molecule/resources/create.yml", *hosts)
            seconds = {
                "bootstrap": run("localhost,", "playbooks/bootstrap.yml", *wanted),
                "site": run(str(environment), "site.yml"),
                "audit": run(str(environment), "playbooks/audit.yml", "-e", f"audit_directory={directory}/evidence"),
            }
            proved = statuses(directory / "evidence" / "latest" / "report.json")
        finally:
            run("localhost,", "molecule/resources/destroy.yml", *hosts)
    seconds["together"] = round(sum(seconds.values()), 1)
    told = {
        "release": os.environ.get("ART32_RELEASE", "trixie"),
        "load": round(os.getloadavg()[0], 1),
        "seconds": seconds,
        "hosts_booted_seconds": booted,
        "controls": proved,
    }
    result = keep(
        "new-environment",
        "from nothing to a proved environment: three commands on fresh hosts",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0


def statuses(report: Path) -> dict[str, int]:
    """How many controls of all hosts have which status."""
    controls = json.loads(report.read_text(encoding="utf-8"))["controls"]
    found = [control["status"] for control in controls]
    return {status: found.count(status) for status in sorted(set(found))}


def run(inventory: str, playbook: str, *words: str) -> float:
    """Run a playbook; its wall time in seconds.

    Raises SystemExit with what it said when it fails.
    """
    start = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, playbook, *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench: {playbook} failed:\n{done.stdout[-6000:]}{done.stderr[-2000:]}")
    seconds = round(time.monotonic() - start, 1)
    print(f"==> bench: {playbook} {seconds} s", flush=True)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
