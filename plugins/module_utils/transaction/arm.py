# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one pending transaction of a host: begin it, arm its revert, commit it or give it up."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.transaction import pending
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import Record, read_json, remove
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.program import (
    SCRIPT,
    install_program,
    install_timer,
)

if TYPE_CHECKING:
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request
    from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

__all__ = ["arm", "begin", "commit", "give_up", "outcome", "recover", "refuse_if_pending", "set_timer", "wait"]

REVERT_SECONDS = 900


def begin(request: Request, units: dict[str, UnitState], changes: list[str]) -> pending.Plan:
    """Take the host's one place for a pending transaction.

    Raises TransactionError when another one is pending or when there is no room for the revert.
    """
    recover()
    plan: pending.Plan = {
        "name": request.name,
        "token": request.token,
        "owner": request.owner,
        "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "boot": pending.boot_id(),
        "holder": pending.myself(),
        "stage": "preparing",
        "timeout": request.timeout,
        "paths": [],
        "packages": [],
        "activate": [],
        "units": [_unit_record(name, state) for name, state in units.items()],
        "changes": changes,
    }
    with pending.locked():
        other = pending.pending_plan()
        if other is not None:
            raise TransactionError(_refusal(other))
        try:
            remove(pending.SAVED)
            pending.SAVED.mkdir(mode=0o700)
            pending.BALLAST.write_bytes(os.urandom(pending.BALLAST_BYTES))
            pending.save_plan(plan)
        except OSError as error:
            remove(pending.SAVED)
            raise TransactionError(
                f"Cannot write below {pending.BASE}: {error.strerror}; nothing was changed"
            ) from error
    return plan


def _unit_record(name: str, state: UnitState) -> Record:
    active = state.is_active or state.active == "activating"
    return {"name": name, "active": active, "file_state": state.file_state}


def refuse_if_pending() -> None:
    """Raise TransactionError when somebody's transaction is pending: what is there may not stay."""
    other = pending.pending_plan()
    if other is not None and not _is_stale(other):
        raise TransactionError(_refusal(other))


def set_timer(plan: pending.Plan) -> None:
    """Start the timer behind a transaction that has just begun."""
    install_timer(plan["name"], plan["timeout"])
    _restart_timer(plan["name"])


def arm(plan: pending.Plan, *, paths: list[Record], activate: list[dict[str, Any]]) -> None:
    """Record everything that is going to change and start the time that is left for it."""
    with pending.locked():
        _still_ours(plan)
        plan.update(
            stage="armed",
            deadline=pending.uptime() + plan["timeout"],
            activate=activate,
            paths=[*plan["paths"], *paths],
        )
        pending.save_plan(plan)
    _restart_timer(plan["name"])


def wait(plan: pending.Plan) -> None:
    """Everything is applied: from now on a commit is accepted, over a connection younger than this moment."""
    with pending.locked():
        _still_ours(plan)
        plan.update(stage="waiting", waiting=pending.uptime(), holder=None)
        pending.save_plan(plan)


def commit(plan: pending.Plan) -> None:
    """Make the present state the last confirmed one."""
    with pending.locked():
        _still_ours(plan)
        remove(pending.PENDING)
    pending.disarm(plan["name"])


def _still_ours(plan: pending.Plan) -> None:
    now = pending.pending_plan()
    if now is None or now["token"] != plan["token"] or now["stage"] == "reverting":
        seconds = plan["timeout"]
        raise TransactionError(f"Transaction {plan['name']} was reverted meanwhile: its {seconds} s were over")


def give_up(plan: pending.Plan, *, why: str = "it failed") -> dict[str, Any] | None:
    """Revert now. Returns the outcome, None when there was nothing to undo."""
    name, token = plan["name"], plan["token"]
    with pending.locked():
        now = pending.pending_plan()
        ours = now is not None and now["token"] == token and now["stage"] != "reverting"
        if ours:
            remove(pending.BALLAST)
            plan.update(stage="failed", why=why, holder=None)
            pending.save_plan(plan)
    if ours and not plan["paths"] and not plan["packages"] and not plan["activate"]:
        commit(plan)
        return None
    pending.run(["systemctl", "start", f"art32-revert-{name}.service"], timeout=REVERT_SECONDS)
    if outcome(name, token) is None:
        pending.run(["/usr/bin/python3", "-I", str(SCRIPT), name], timeout=REVERT_SECONDS)
    return outcome(name, token)


def outcome(name: str, token: str) -> dict[str, Any] | None:
    """Give what a revert of this very transaction did, None when there was none."""
    value = read_json(pending.OUTCOMES / f"{name}.json")
    return value if value is not None and value.get("token") == token else None


def _make_base() -> None:
    pending.BASE.parent.mkdir(mode=0o755, exist_ok=True)
    pending.BASE.mkdir(mode=0o700, exist_ok=True)
    pending.BASE.chmod(0o700)


def recover() -> None:
    """Revert what a transaction left behind that nobody can commit any more and no timer will revert."""
    _make_base()
    install_program()
    left = pending.pending_plan()
    if left is None or not _is_stale(left):
        return
    pending.run(["/usr/bin/python3", "-I", str(SCRIPT), left["name"]], timeout=REVERT_SECONDS)
    if pending.pending_plan() is not None:
        raise TransactionError(
            f"The {pending.describe(left)}, was interrupted and cannot be reverted; see `journalctl -t art32-revert`"
        )


def _is_stale(plan: pending.Plan) -> bool:
    """Whether nobody will ever commit or revert this: its process is dead, no timer and no revert is under way."""
    if pending.holder_is_alive(plan):
        return False
    if plan["stage"] in ("preparing", "armed"):
        return True
    unit = f"art32-revert-{plan['name']}"
    units = [f"{unit}.timer", f"{unit}.service", "art32-revert-boot.service", "art32-revert-finish.service"]
    _, output = pending.run(["systemctl", "show", "--property=ActiveState,SubState,Job", "--", *units])
    states = [dict(line.split("=", 1) for line in block.splitlines()) for block in output.split("\n\n")]
    ticks = states[0].get("SubState") == "waiting"
    works = any(state.get("ActiveState") == "activating" or state.get("Job") for state in states)
    return not ticks and not works


def _refusal(other: pending.Plan) -> str:
    left = float(other.get("deadline") or 0) - pending.uptime()
    when = f", to be reverted in {left:.0f} s unless it is confirmed" if left > 0 else ""
    what = f"the {pending.describe(other)}, is {other['stage']}{when}"
    return f"Another transaction is pending on this host: {what}. Nothing was changed"


def _restart_timer(name: str) -> None:
    """Start the timer anew. systemd may remember that these units did not exist a moment ago."""
    start = ["systemctl", "restart", f"art32-revert-{name}.timer"]
    if pending.run(start)[0] == 0:
        return
    pending.run(["systemctl", "daemon-reload"])
    status, output = pending.run(start)
    if status != 0:
        raise TransactionError(f"Cannot arm the revert: {output or status}")
