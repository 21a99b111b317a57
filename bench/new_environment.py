#!/usr/bin/env python3
"""From nothing to a proved environment: the seconds of the three commands, on fresh test hosts of its own.

The machines are booted and their environment is written, `site.yml` makes everything true, the audit proves it. Writes
the figures, dated, to bench/results/, and removes the hosts.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIX = os.environ.get("ART32_PREFIX", "art32-new")
MACHINES = ROOT / "molecule" / "default" / "testhosts.yml"


def main() -> int:
    """Run the three commands one after the other, each once."""
    with tempfile.TemporaryDirectory(prefix="art32-new-") as scratch:
        directory = Path(scratch)
        environment = directory / "environment"
        hosts = ["-e", f"testhosts_prefix={PREFIX}", "-e", "testhosts_scenario=new", "-e", "testhosts_image=server"]
        hosts += ["-e", f"testhosts_directory={directory}", "-e", f"testhosts_environment={environment}"]
        hosts += ["-e", f"testhosts_wanted_file={MACHINES}"]
        proof = ["-e", "audit_kinds=observe", "-e", f"audit_directory={directory}/evidence"]
        try:
            seconds = {
                "hosts and environment": run("localhost,", "molecule/resources/create.yml", *hosts),
                "site": run(str(environment), "site.yml"),
                "audit": run(str(environment), "playbooks/audit.yml", *proof),
            }
        finally:
            run("localhost,", "molecule/resources/destroy.yml", *hosts)
    seconds["together"] = round(sum(seconds.values()), 1)
    now = datetime.now(tz=UTC)
    result = {
        "time": now.isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "seconds": seconds,
    }
    target = ROOT / "bench" / "results" / f"{now:%Y-%m-%d}-new-environment.json"
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, value in seconds.items():
        print(f"{name}: {value} s")
    print(f"Written to {target.relative_to(ROOT)}")
    return 0


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
    return round(time.monotonic() - start, 1)


if __name__ == "__main__":
    sys.exit(main())
