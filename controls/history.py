"""What earlier audits said: when each promise was last proved, how it went over time, and what changed since."""

from __future__ import annotations

__all__ = ["CHANGES", "WATCHER", "Change", "Moment", "changes", "earlier", "last_proofs", "timeline", "traces"]

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .judges.changes import trace
from .verdict import STATUSES, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from .evidence import Store
    from .judges.changes import Trace

CHANGES = "changes"  # the output that tells who changed what
WATCHER = "art32-auditor"  # the account that a watch looks with: it changes nothing
SHOWN = 40  # audits on the chart: a bar each, in a column that a phone shows

Report = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How one control stood at one audit, the worst over its hosts; `status` is None when it was not there yet."""

    time: str
    status: Status | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """A verdict that another audit found otherwise; None where there was none. `who` is told by the host's logs."""

    control: str
    host: str | None
    before: Status | None
    after: Status | None
    who: str = ""


def earlier(directory: Path) -> list[Report]:
    """The reports of the audits that lie beside this one and were made before it, the oldest first."""
    paths = [path for path in directory.parent.glob("*T*Z*/report.json") if path.parent.name < directory.name]
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in paths if not path.parent.is_symlink()]
    return sorted(reports, key=lambda report: str(report["time"]))


def last_proofs(reports: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The newest time at which each control was met or waived on every host, by its id; without those never proved."""
    proofs: dict[str, str] = {}
    for report in sorted(reports, key=lambda report: str(report["time"])):
        for identifier in {entry["id"] for entry in report["controls"]}:
            states = {entry["status"] for entry in report["controls"] if entry["id"] == identifier}
            if states <= {"met", "waived"}:
                proofs[identifier] = report["time"]
    return proofs


def timeline(reports: Sequence[Mapping[str, Any]], control: str) -> list[Moment]:
    """How a control stood at the newest audits, the oldest of them first."""
    return [Moment(time=report["time"], status=_worst(report, control)) for report in reports[-SHOWN:]]


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], traces: Mapping[str, Trace] = MappingProxyType({})
) -> list[Change]:
    """The verdicts in which two audits differ, in the order of the controls; `traces` are the hosts' own logs."""
    old, new = _verdicts(before), _verdicts(after)
    keys = [*new, *(key for key in old if key not in new)]
    return [
        Change(
            control=control,
            host=host,
            before=old.get((control, host)),
            after=new.get((control, host)),
            who=traces[host].who if host and host in traces else "",
        )
        for control, host in keys
        if old.get((control, host)) != new.get((control, host))
    ]


def traces(store: Store, report: Mapping[str, Any]) -> dict[str, Trace]:
    """What the hosts' logs told an audit about who changed what since the one before, by host."""
    # A report tells its time in whole seconds; the audit itself reaches no host within the first.
    began = datetime.fromisoformat(report["time"]) + timedelta(seconds=1)
    told = [kept for host in report["hosts"] if (kept := store.find(host, CHANGES)) and kept.rc == 0]
    return {kept.host: trace(kept.stdout, until=began, without=[WATCHER]) for kept in told}


def _verdicts(report: Mapping[str, Any]) -> dict[tuple[str, str | None], Status]:
    return {(entry["id"], entry["host"]): entry["status"] for entry in report["controls"]}


def _worst(report: Mapping[str, Any], control: str) -> Status | None:
    found = [entry["status"] for entry in report["controls"] if entry["id"] == control]
    return min(found, key=STATUSES.index, default=None)
