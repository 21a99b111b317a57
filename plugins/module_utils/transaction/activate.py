# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the running system follow its files, and see that it does."""

from __future__ import annotations

import shlex
import socket
import time
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import system
from ansible_collections.art32.server.plugins.module_utils.transaction.compare import unit_verbs
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Activation, Probe, Unit

__all__ = ["activate", "probe", "reload_manager", "settle"]

UNIT_SECONDS = 90
PROBE_PAUSE = 0.25
_JOURNAL_LINES = 8


def reload_manager(*, until: float) -> None:
    """Make systemd read its unit files."""
    _order("systemctl", "daemon-reload", until=until)


def settle(units: Sequence[Unit], *, until: float) -> set[str]:
    """Mask, enable, start, stop: whatever each unit needs. Returns the units that were started.

    Raises TransactionError with systemd's message and the unit's last journal lines.
    """
    due = _due(units)
    for name, verbs in due.items():
        for verb in verbs:
            _order("systemctl", verb, name, unit=name, until=until)
    started = {name for name, verbs in due.items() if "start" in verbs}
    if any("enable" in verbs for verbs in due.values()):
        # systemd may forget that a unit runs when an alias of it comes back.
        lost = [name for name, verbs in _due(units).items() if "start" in verbs]
        for name in lost:
            _order("systemctl", "start", name, unit=name, until=until)
        started.update(lost)
    return started


def _due(units: Sequence[Unit]) -> dict[str, tuple[str, ...]]:
    states = system.unit_states([unit.name for unit in units])
    return {unit.name: unit_verbs(unit, states.get(unit.name)) for unit in units}


def activate(entries: Sequence[Activation], started: set[str], *, until: float) -> None:
    """Run activations in order. systemd has read its unit files already.

    A unit in `started` has read its files just now; a reload could meet it before it is ready for one.

    Raises TransactionError when one fails or when the transaction's time is over.
    """
    commands = 0
    for entry in entries:
        if entry.command:
            _order(*entry.command, timeout=entry.timeout, until=until)
            commands += 1
        elif entry.unit and (verb := _verb(entry, entry.unit, fresh=entry.unit in started, after_command=commands > 0)):
            _order("systemctl", verb, entry.unit, unit=entry.unit, timeout=entry.timeout, until=until)


def _verb(entry: Activation, unit: str, *, fresh: bool, after_command: bool) -> str | None:
    """Choose what the unit needs: nothing when it has just started, a start when a reload finds it not running."""
    if fresh and entry.verb != "stop":
        return "restart" if after_command else None
    return "start" if entry.verb == "reload" and not _is_active(unit) else entry.verb


def _is_active(name: str) -> bool:
    return system.unit_states([name])[name].is_active


def _order(*argv: str, until: float, unit: str | None = None, timeout: float = UNIT_SECONDS) -> None:
    left = min(timeout, until - time.monotonic())
    if left <= 0:
        raise TransactionError(f"No time was left for {shlex.join(argv)}; a longer timeout helps")
    status, output = run(argv, timeout=left)
    if status != 0:
        what = output or f"exit status {status}"
        raise TransactionError(f"Activation failed: {shlex.join(argv)}: {what}{_journal(unit)}")


def _journal(unit: str | None) -> str:
    if unit is None:
        return ""
    run(["journalctl", "--sync"])
    _, lines = run(
        ["journalctl", "--unit", unit, "--lines", str(_JOURNAL_LINES), "--output", "cat", "--no-pager", "--quiet"]
    )
    return f"\nThe last lines of {unit}:\n{lines}" if lines else ""


def probe(entry: Probe, *, until: float) -> None:
    """Ask until it answers as it should, at most for the probe's own time and never after `until` (monotonic).

    Raises TransactionError naming the probe and its last answer.
    """
    end = min(time.monotonic() + entry.timeout, until)
    while (answer := _ask(entry)) is not None:
        if time.monotonic() >= end:
            unit = entry.target if entry.kind == "unit" else None
            raise TransactionError(f"Probe failed: {entry}: {answer}{_journal(unit)}")
        time.sleep(PROBE_PAUSE)


def _ask(entry: Probe) -> str | None:
    """Give what is wrong, None when nothing is."""
    if entry.kind == "unit":
        state = system.unit_states([entry.target]).get(entry.target, system.UnitState())
        return None if state.is_active else f"it is {state.active}"
    if entry.kind == "command":
        status, output = run(entry.command, timeout=entry.timeout)
        return None if status == 0 else output or f"exit status {status}"
    return _connect(entry)


def _connect(entry: Probe) -> str | None:
    try:
        if entry.kind == "port":
            socket.create_connection((entry.address, int(entry.target)), timeout=entry.timeout).close()
        else:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(entry.timeout)
                client.connect(entry.target)
    except OSError as error:
        return error.strerror or str(error)
    return None
