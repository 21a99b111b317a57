"""A page through nginx, from the service's socket, and through a minimal nginx at that socket, asked on the server.

Prints the ratios of pages per second, nginx to each of the others: the median of the rounds, each of which asks all
ways one right after the other, so that what else the machine does meets all. Writes them, dated, to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.dated import keep

ROOT = Path(__file__).resolve().parent.parent
RATIOS_ALLOWED = {"socket": 0.8, "minimal": 0.9}


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Pages per second, round by round.

    Raises SystemExit when a page is not served.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "asked.json"
        asked = json.dumps({"asked": {**vars(options), "output": str(output)}}, default=str)
        command = ["ansible-playbook", "-i", str(options.environment), "--limit", f"{options.host},localhost"]
        command += ["-e", asked, str(ROOT / "bench" / "ask.yml")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: the page could not be asked for:\n{done.stdout}\n{done.stderr}")
        found: dict[str, list[float]] = json.loads(output.read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--host", default="server")
    parser.add_argument("--service", default="platform")
    parser.add_argument("--page", default="/help/")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    found = measure(options)
    ratios = {
        other: round(statistics.median(map(operator.truediv, found["nginx"], found[other])), 3)
        for other in RATIOS_ALLOWED
    }
    told = {
        "load": round(os.getloadavg()[0], 1),
        "clients": options.clients,
        **found,
        "ratios": ratios,
        "ratios_allowed": RATIOS_ALLOWED,
    }
    result = keep(
        "app",
        f"{options.page} of {options.service} by nginx, by a minimal nginx, by its socket: pages per second",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0 if all(ratios[other] >= allowed for other, allowed in RATIOS_ALLOWED.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
