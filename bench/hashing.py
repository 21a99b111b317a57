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
import statistics
import sys
import time
from pathlib import Path

from bench.dated import keep

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


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    found, default = measure(COSTS, options.rounds)
    told = {
        "load": round(os.getloadavg()[0], 1),
        "rounds": options.rounds,
        "cost": {str(cost): spent for cost, spent in found.items()},
        "allowed_ms": [LEAST, MOST],
        "chosen": chosen(found),
        "default": default,
    }
    result = keep(
        "hashing",
        "verifying one password with the platform's hasher, by bcrypt's cost, milliseconds",
        told,
    )
    print(json.dumps(result, indent=2))
    return 0 if default in found and LEAST <= found[default]["core_ms"] <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
