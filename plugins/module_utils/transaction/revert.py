# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return this host to its last confirmed state.

art32-revert            says which transaction is pending, if any
art32-revert NAME       reverts it now
art32-revert --timer NAME, --boot, --finish    are what its systemd units call

It needs nothing but Python, so that it works whatever state the host is in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import syslog
import time
from pathlib import Path

from .disk import read_json, remove, write_json
from .pending import (
    BALLAST,
    PENDING,
    STATES,
    Plan,
    Refused,
    boot_id,
    describe,
    disarm,
    holder_is_alive,
    locked,
    myself,
    pending_plan,
    run,
    save_plan,
    uptime,
)
from .restore import Report, activate, purge, restore, restore_paths, say

__all__ = ["start"]

# A timer may fire this much early (AccuracySec) without the deadline counting as future.
EARLY_SECONDS = 1.0


def _parents() -> dict[int, int]:
    """Give every process its parent."""
    pairs = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = place.read_text(encoding="utf-8", errors="replace")
            pairs[int(place.parent.name)] = int(text[text.rindex(")") + 2 :].split()[1])
    return pairs


def _below(pid: int, parents: dict[int, int]) -> set[int]:
    """Give a process and all that it started."""
    found_now = {pid}
    while more := {child for child, parent in parents.items() if parent in found_now} - found_now:
        found_now |= more
    return found_now


def _kill_holder(plan: Plan) -> None:
    """End a transaction that is still applying, so that it does not undo the undoing."""
    if plan["stage"] not in ("preparing", "armed") or not holder_is_alive(plan):
        return
    processes = _below(plan["holder"]["pid"], _parents())
    if os.getpid() in processes:  # the transaction itself asks for its revert
        return
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_due(plan: Plan) -> bool:
    if plan["stage"] == "preparing":
        return not holder_is_alive(plan)
    if plan["stage"] in ("armed", "waiting"):
        return plan["boot"] != boot_id() or uptime() >= float(plan["deadline"]) - EARLY_SECONDS
    return True


def _take_over(name: str | None, *, unless_due: bool = False) -> Plan | None:
    """Claim the pending transaction for this revert; None when there is nothing to do for it."""
    with locked():
        plan = pending_plan()
        if plan is None or name not in (None, plan["name"]):
            return None
        if unless_due and not _is_due(plan):
            run(["systemctl", "--no-block", "restart", f"art32-revert-{plan['name']}.timer"])
            raise SystemExit(0)
        if plan["stage"] == "reverting" and holder_is_alive(plan):
            raise Refused(f"the {describe(plan)}, is being reverted already")
        _kill_holder(plan)
        remove(BALLAST)
        plan.update(stage="reverting", boot=boot_id(), holder=myself())
        save_plan(plan)
    return plan


def _finish(plan: Plan, report: Report) -> int:
    """Say how it ended. The marker stays while a file is not as it was: the next start of anything tries again."""
    report.save()
    if not report.complete:
        say(f"{plan['name']} could NOT be returned to its last confirmed state", syslog.LOG_ERR)
        return 1
    _date_activation(plan["name"])
    with locked():
        remove(PENDING)
    what = "is in its last confirmed state again" if not report.problems else "has its last confirmed files again, but"
    say(f"{plan['name']} {what} ({'; '.join([report.why, *report.problems])})")
    disarm(plan["name"])
    return 1 if report.problems else 0


def _date_activation(name: str) -> None:
    """Note that the restored files have been loaded just now."""
    state = read_json(STATES / f"{name}.json")
    if state is not None:
        state["activated"] = time.time()
        write_json(STATES / f"{name}.json", state)


def revert(name: str | None, why: str, *, unless_due: bool = False) -> int:
    """Return to the last confirmed state now."""
    plan = _take_over(name, unless_due=unless_due)
    if plan is None:
        say(f"no transaction {name or ''} is pending".replace("  ", " "))
        if name:
            _disarm_quietly(name)
        return 0
    report = Report(plan, plan.get("why") or why)
    restore(plan, report)
    activate(plan, report, units=True)
    purge(plan, report)
    return _finish(plan, report)


def _disarm_quietly(name: str) -> None:
    """Remove a timer that was left behind, unless another transaction is pending."""
    with locked():
        if pending_plan() is None:
            disarm(name)


def boot() -> int:
    """Restore files before the services start; the rest follows when they have."""
    plan = _take_over(None)
    if plan is None:
        return 0
    report = Report(plan, "the host was restarted before the confirmation")
    restore(plan, report)
    plan["restored"] = report.actions
    save_plan(plan)
    run(["systemctl", "--no-block", "start", "art32-revert-finish.service"])
    return 1 if report.problems else 0


def finish() -> int:
    """After a boot: run the commands again and remove packages."""
    plan = _take_over(None)
    if plan is None:
        return 0
    report = Report(plan, "the host was restarted before the confirmation")
    report.actions.extend(plan.get("restored", []))
    restore_paths(plan, report)
    activate(plan, report, units=False)
    purge(plan, report)
    return _finish(plan, report)


def _status() -> int:
    plan = pending_plan()
    if plan is None:
        say("no transaction is pending")
        return 0
    left = float(plan.get("deadline") or 0) - uptime()
    say(f"the {describe(plan)}, is {plan['stage']}" + (f", reverts in {left:.0f} s" if left > 0 else ""))
    return 0


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    if not arguments:
        return _status()
    if arguments == ["--boot"]:
        return boot()
    if arguments == ["--finish"]:
        return finish()
    if arguments[0] == "--timer" and len(arguments) == 2:  # noqa: PLR2004
        return revert(arguments[1], "it was not confirmed in time", unless_due=True)
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        return revert(arguments[0], "asked for by hand")
    print(__doc__)  # noqa: T201
    return 2


def start() -> None:
    """Run as a program."""
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refusal:
        sys.exit(f"art32-revert: {refusal}")
