# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The second half of a transaction: the commit over a new connection, or what became of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.art32.server.plugins.module_utils.transaction import arm, pending
from ansible_collections.art32.server.plugins.module_utils.transaction.finish import is_owed
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

__all__ = ["commit", "connection_started", "inquire", "is_owed", "revert"]

_DAEMONS = ("sshd", "sshd-session", "sshd-auth")


def connection_started(pid: int | None = None) -> float | None:
    """When the SSH connection of this process was made, in seconds since boot; None when it has none.

    It is the youngest sshd above the process: a multiplexed session belongs to the sshd of its first login.
    """
    youngest: float | None = None
    pid = os.getppid() if pid is None else pid
    while pid > 1:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text[text.rindex(")") + 2 :].split()
        if text[text.index("(") + 1 : text.rindex(")")] in _DAEMONS:
            youngest = max(youngest or 0.0, int(fields[19]) / os.sysconf("SC_CLK_TCK"))
        pid = int(fields[1])
    return youngest


def commit(name: str, token: str) -> list[str]:
    """Commit the pending transaction. Returns its changes.

    Raises TransactionError when there is none with this token or when the connection proves nothing.
    """
    plan = pending.pending_plan()
    if plan is None or plan["token"] != token:
        raise TransactionError(f"No transaction {name} of this run is pending: {_fate(name, token)}")
    if plan["stage"] != "waiting":
        raise TransactionError(f"Transaction {name} is {plan['stage']}, not waiting for a confirmation")
    started = connection_started()
    if started is None or started < float(plan["waiting"]):
        raise TransactionError(
            "This connection is older than the change and proves nothing; only a new login confirms it"
            if started is not None
            else "This is no SSH connection and proves nothing; only a new login confirms the change"
        )
    arm.commit(plan)
    return list(plan["changes"])


def _fate(name: str, token: str) -> str:
    outcome = arm.outcome(name, token)
    return f"it was reverted at {outcome['ended']}, {outcome['why']}" if outcome else "it never began"


def inquire(name: str, token: str) -> dict[str, Any]:
    """Say what became of a transaction: its stage while it is pending, the outcome after a revert."""
    plan = pending.pending_plan()
    if plan is not None and plan["token"] == token:
        remaining = float(plan.get("deadline") or 0) - pending.uptime()
        return {"stage": plan["stage"], "remaining": remaining, "changes": plan["changes"]}
    outcome = arm.outcome(name, token)
    return {"stage": "reverted" if outcome else "unknown", "outcome": outcome}


def revert(name: str, token: str) -> dict[str, Any]:
    """Revert the pending transaction at once unless it is still applying, and say what became of it."""
    plan = pending.pending_plan()
    if plan is not None and plan["token"] == token and not pending.holder_is_alive(plan):
        arm.give_up(plan, why="no new login succeeded" if plan["stage"] == "waiting" else "it was interrupted")
    return inquire(name, token)
