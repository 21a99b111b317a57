# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the running system has loaded what its files say.

After an activation a stamp notes the hashes of the files, each unit's invocation and the time. /run forgets it at a
reboot; what commands printed (`loaded`) and when is kept in /var/lib as well.

A unit is stale when its files changed after it read them, whoever restarted it since: it read them when it was
started or, where a reload suffices, last reloaded. A command's effect is stale when a file changed after the last
activation and after the last boot. What has to follow when a change is final is kept as `owed` until it was run.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.transaction.disk import write_json
from ansible_collections.art32.server.plugins.module_utils.transaction.model import concerns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.files import Found
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Activation, Request
    from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

__all__ = [
    "STAMPS",
    "STATES",
    "Evidence",
    "activated_units",
    "digest",
    "drift",
    "owed",
    "refresh",
    "stale",
    "stamp_path",
    "state_path",
    "write",
]

STAMPS = Path("/run/art32/stamps")
STATES = Path("/var/lib/art32/transaction/state")
# Verbs after which a unit has read its files, and whether a plain reload suffices for that.
_READS = {"reload": True, "reload-or-restart": True, "restart": False}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of the last activation, and what is there now."""

    stamp: Mapping[str, Any] | None
    state: Mapping[str, Any] | None
    units: Mapping[str, UnitState]
    files: Mapping[str, Found]
    outputs: Mapping[str, str]
    booted: float


def stamp_path(name: str) -> Path:
    """Where the stamp of a transaction lies."""
    return STAMPS / f"{name}.json"


def state_path(name: str) -> Path:
    """Where the lasting part lies."""
    return STATES / f"{name}.json"


def digest(found: Found) -> str:
    """Hash of what is at a path."""
    return hashlib.sha256(found.target.encode() if found.kind == "link" else found.content).hexdigest()


def activated_units(request: Request) -> list[str]:
    """Units that the transaction activates, once."""
    return list(dict.fromkeys(entry.unit for entry in request.activate if entry.unit))


def write(request: Request, files: Mapping[str, Found], units: Mapping[str, UnitState], activated: float) -> None:
    """Stamp these files and these processes."""
    STAMPS.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(stamp_path(request.name), {**_vouched(request, files, units), "activated": activated})


def refresh(request: Request, evidence: Evidence) -> None:
    """Stamp again what is equal but not stamped, as after a reboot or a restart by hand."""
    vouched = _vouched(request, evidence.files, evidence.units)
    known = evidence.stamp or {}
    if vouched["units"] and any(known.get(key) != value for key, value in vouched.items()):
        write(request, evidence.files, evidence.units, time.time())


def _vouched(request: Request, files: Mapping[str, Found], units: Mapping[str, UnitState]) -> dict[str, dict[str, str]]:
    return {
        "files": {path: digest(found) for path, found in files.items()},
        "units": {name: units[name].invocation for name in activated_units(request) if name in units},
    }


def stale(request: Request, evidence: Evidence) -> dict[int, str]:
    """Say which activations are due although no file differs: their number and a sentence with the reason."""
    reasons = {number: _reason(entry, evidence) for number, entry in enumerate(request.activate)}
    due = {number: reason for number, reason in reasons.items() if reason}
    drifted = _drifted(request.loaded, evidence)
    if drifted:
        general = [number for number, entry in enumerate(request.activate) if not entry.files] or list(reasons)
        due.update({number: f"Activate again: {drifted}" for number in general if number not in due})
    return due


def owed(request: Request, evidence: Evidence) -> dict[int, str]:
    """Say which of the last commands are due although no file differs: their number and a sentence with the reason."""
    known = [tuple(entry["command"]) for entry in (evidence.state or {}).get("owed", [])]
    reasons = {
        number: f"Run {shlex.join(entry.command)}: it was not run when the last change became final"
        if entry.command in known
        else _reason(entry, evidence)
        for number, entry in enumerate(request.finish)
    }
    return {number: reason for number, reason in reasons.items() if reason}


def _reason(entry: Activation, evidence: Evidence) -> str | None:
    if entry.daemon_reload:
        pending = [name for name, unit in evidence.units.items() if unit.needs_daemon_reload]
        return f"Reload the unit files: that of {pending[0]} changed since systemd read it" if pending else None
    relevant = {path: found for path, found in evidence.files.items() if concerns(entry, path)}
    if not relevant:
        return None
    newest = max(relevant, key=lambda path: relevant[path].ctime)
    if entry.unit:
        return _unit_reason(entry, entry.unit, relevant, newest, evidence)
    activated = max(float((evidence.state or {}).get("activated", 0)), evidence.booted)
    if relevant[newest].ctime > activated:
        return f"Run {shlex.join(entry.command)}: {newest} changed after the last activation"
    return None


def _unit_reason(
    entry: Activation, unit: str, relevant: Mapping[str, Found], newest: str, evidence: Evidence
) -> str | None:
    state = evidence.units.get(unit)
    if entry.verb not in _READS or state is None or not state.is_active:
        return None
    if _is_stamped(unit, state, relevant, newest, evidence.stamp):
        return None
    moments = [state.started, state.reloaded if _READS[entry.verb] else None]
    read_at = max((moment for moment in moments if moment is not None), default=0.0)
    if relevant[newest].ctime <= read_at:
        return None
    return f"{entry.verb.capitalize()} {unit}: it runs with an older configuration than {newest}"


def _is_stamped(
    unit: str, state: UnitState, relevant: Mapping[str, Found], newest: str, stamp: Mapping[str, Any] | None
) -> bool:
    """Whether the stamp vouches for this very process and these very files."""
    if stamp is None or stamp.get("units", {}).get(unit) != state.invocation:
        return False
    if relevant[newest].ctime > float(stamp.get("activated", 0)):
        return False
    return all(stamp.get("files", {}).get(path) == digest(found) for path, found in relevant.items())


def drift(commands: Sequence[Sequence[str]], evidence: Evidence) -> tuple[str, str, str] | None:
    """Give the first command that prints something else than was confirmed: itself, what it prints, what it printed."""
    known = (evidence.state or {}).get("loaded", {})
    for text in map(shlex.join, commands):
        if evidence.outputs.get(text) != known.get(text):
            return text, evidence.outputs.get(text, ""), known.get(text, "")
    return None


def _drifted(commands: Sequence[Sequence[str]], evidence: Evidence) -> str | None:
    known = (evidence.state or {}).get("loaded", {})
    for command in commands:
        text = shlex.join(command)
        if text not in known:
            return f"what `{text}` should print was never confirmed"
        if evidence.outputs.get(text) != known[text]:
            return f"`{text}` prints something else than what was confirmed"
    return None
