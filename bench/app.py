#!/usr/bin/env python3
"""A page through nginx and the socket beside the same page from the same gunicorn's socket, asked on the server.

Prints the ratio of pages per second: the median of the rounds, each of which asks both ways one right after the other,
so that what else the machine does meets both. Writes it, dated, to bench/results/.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RATIO_ALLOWED = 0.8


def play(options: argparse.Namespace, output: Path) -> list[dict[str, Any]]:
    """Ask on the server, keep the answer here."""
    domain = f"{{{{ (services | art32.server.service('{options.service}')).domain }}}}"
    numbers = (options.seconds, options.rounds, options.clients)
    words = [str(ROOT / "bench" / "ask.py"), f"/run/art32/{options.service}.sock", domain, options.page]
    words += map(str, numbers)
    asked = {"name": "Ask", "ansible.builtin.script": {"cmd": " ".join(words), "executable": "/usr/bin/python3"}}
    kept = {"content": "{{ __asked.stdout }}", "dest": str(output), "mode": "0600"}
    tasks = [
        {**asked, "register": "__asked"},
        {"name": "Keep", "ansible.builtin.copy": kept, "delegate_to": "localhost", "become": False},
    ]
    return [{"name": "Ask", "hosts": options.host, "gather_facts": False, "become": True, "tasks": tasks}]


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Pages per second, round by round.

    Raises SystemExit when a page is not served.
    """
    with tempfile.TemporaryDirectory() as folder:
        playbook, output = Path(folder) / "ask.yml", Path(folder) / "asked.json"
        playbook.write_text(yaml.safe_dump(play(options, output), sort_keys=False), encoding="utf-8")
        login = str(ROOT / "playbooks" / "login.yml")
        command = ["ansible-playbook", "-i", str(options.environment), login, str(playbook)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: the page could not be asked for:\n{done.stdout}\n{done.stderr}")
        found: dict[str, list[float]] = json.loads(output.read_text(encoding="utf-8"))
    return found


def tree() -> str:
    """The commit that is measured, marked when the working tree differs from it."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=ROOT / "inventories" / "demo")
    parser.add_argument("--host", default="server")
    parser.add_argument("--service", default="platform")
    parser.add_argument("--page", default="/help/")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    found = measure(options)
    ratio = statistics.median(nginx / direct for nginx, direct in zip(found["nginx"], found["socket"], strict=True))
    result = {
        "what": f"{options.page} of {options.service} through nginx beside its socket, pages per second",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "tree": tree(),
        "python": platform.python_version(),
        "clients": options.clients,
        **found,
        "ratio": round(ratio, 3),
        "ratio_allowed": RATIO_ALLOWED,
    }
    path = ROOT / "bench" / "results" / f"{datetime.now(UTC):%Y-%m-%d}-app.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0 if ratio >= RATIO_ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
