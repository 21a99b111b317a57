#!/usr/bin/env python3
"""What it costs this machine to verify one password of the platform, at each cost of bcrypt from 12.

A login should cost the server between a quarter of a second and one second: less is cheap for whoever guesses with the
hashes in hand, more lets logins wait for each other. Prints the processor's milliseconds (what else the machine does
is not counted) and the wall clock's: the median of the rounds. The cost to be chosen is the lowest that is dear
enough; PLATFORM_PASSWORD_COST sets it. Written, dated, to bench/results/. Fails when the platform's own default is
outside.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEAST, MOST = 250, 1000  # milliseconds of one core
COSTS = range(12, 16)
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody


def measure(costs: range, rounds: int) -> tuple[dict[int, dict[str, float]], int]:
    """Milliseconds by cost, and the cost that the platform has by default, with the platform's own hasher."""
    os.environ.pop("PLATFORM_PASSWORD_COST", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "art32_platform.settings"
    sys.path.insert(0, str(ROOT / "apps" / "platform" / "src"))
    own = importlib.import_module("art32_platform.accounts.passwords").Hasher
    found = {}
    for cost in costs:
        hasher = type("AtCost", (own,), {"rounds": cost})()
        stored = hasher.encode(PASSWORD, hasher.salt())
        spent = []
        for _ in range(rounds):
            wall, core = time.perf_counter(), time.process_time()
            if not hasher.verify(PASSWORD, stored):
                raise SystemExit(f"hashing: a hash of cost {cost} is not the password's")
            spent.append((time.process_time() - core, time.perf_counter() - wall))
        core_time, wall_time = (round(statistics.median(seconds) * 1000, 1) for seconds in zip(*spent, strict=True))
        found[cost] = {"core_ms": core_time, "wall_ms": wall_time}
    return found, own.rounds


def chosen(found: dict[int, dict[str, float]]) -> int | None:
    """The lowest cost that is dear enough and not too dear."""
    return next((cost for cost, spent in sorted(found.items()) if LEAST <= spent["core_ms"] <= MOST), None)


def tree() -> str:
    """The commit that is measured, marked when the working tree differs from it."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    found, default = measure(COSTS, options.rounds)
    now = datetime.now(UTC)
    result: dict[str, Any] = {
        "what": "verifying one password with the platform's hasher, by bcrypt's cost, milliseconds",
        "time": now.isoformat(timespec="seconds"),
        "tree": tree(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": options.rounds,
        "cost": {str(cost): spent for cost, spent in found.items()},
        "allowed_ms": [LEAST, MOST],
        "chosen": chosen(found),
        "default": default,
    }
    path = ROOT / "bench" / "results" / f"{now:%Y-%m-%d}-hashing.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0 if default in found and LEAST <= found[default]["core_ms"] <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
