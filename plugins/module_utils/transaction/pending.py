# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one pending transaction of a host: its plan, its place, its lock. Part of art32-revert.

The plan says what has to be undone. It is written before anything is done, and is the marker at the same time: while
it is there, a transaction is pending.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .disk import read_json, remove, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BALLAST",
    "BALLAST_BYTES",
    "BASE",
    "LISTS",
    "OUTCOMES",
    "PENDING",
    "SAVED",
    "STATES",
    "UNITS",
    "UNIT_DIRECTORIES",
    "WAITING_LIST",
    "Plan",
    "Refused",
    "boot_id",
    "describe",
    "disarm",
    "holder_is_alive",
    "locked",
    "myself",
    "pending_plan",
    "process_started",
    "run",
    "save_plan",
    "uptime",
]

BASE = Path("/var/lib/art32/transaction")
PENDING = BASE / "pending.json"
SAVED = BASE / "pending"
OUTCOMES = BASE / "outcome"
LOCK = BASE / "lock"
STATES = BASE / "state"
# Room that is there for the revert even when the disk is full.
BALLAST = SAVED / "ballast"
BALLAST_BYTES = 256 * 1024
# Of what the transactions keep on the host (`manifest`, `laid`), and of what is there only while one is pending.
LISTS = BASE / "manifest"
WAITING_LIST = LISTS / "art32-revert-pending.json"
UNITS = Path("/etc/systemd/system")
UNIT_DIRECTORIES = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/")

LOCK_SECONDS = 15
COMMAND_SECONDS = 60

Plan = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request cannot be met now; the message says why."""


def uptime() -> float:
    """Seconds since boot, on the clock of /proc/PID/stat; unlike the wall's it is never set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Tell this boot from any other; in a container by the start of its first process."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{kernel}/{process_started(1)}"


def process_started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot, None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def myself() -> dict[str, int | None]:
    """Describe this process so that others can tell whether it still runs."""
    return {"pid": os.getpid(), "started": process_started(os.getpid())}


def holder_is_alive(plan: Plan) -> bool:
    """Whether the process that is applying this plan still runs."""
    holder = plan.get("holder") or {}
    started = holder.get("started")
    return plan.get("boot") == boot_id() and started is not None and process_started(holder["pid"]) == started


def run(argv: Sequence[str], *, timeout: float = COMMAND_SECONDS) -> tuple[int, str]:
    """Run a command without a shell. Returns its status and what it said, both streams together."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]}: not found"
    except PermissionError as error:
        return 126, str(error)
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]}: no end within {timeout:.0f} s"
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def pending_plan() -> Plan | None:
    """Give the pending transaction, None when there is none."""
    return read_json(PENDING)


def save_plan(plan: Plan) -> None:
    """Record what has to be undone, before it is done."""
    write_json(PENDING, plan)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the host's lock, for a short section only. Children do not inherit it."""
    with LOCK.open("a", encoding="ascii") as handle:
        for attempt in range(LOCK_SECONDS * 10):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == LOCK_SECONDS * 10 - 1:
                    raise Refused(f"{LOCK} has been held for {LOCK_SECONDS} s") from None
                time.sleep(0.1)
        yield


def describe(plan: Plan) -> str:
    """Say which transaction is pending, whose it is and since when."""
    return f"transaction {plan['name']} of {plan['owner']}, begun {plan['since']}"


def disarm(name: str) -> None:
    """Remove the timer and what the transaction kept. The marker has to be gone before."""
    timer = f"art32-revert-{name}.timer"
    run(["systemctl", "stop", timer])
    for unit in (timer, f"art32-revert-{name}.service"):
        remove(UNITS / unit)
    remove(WAITING_LIST)
    remove(SAVED)
