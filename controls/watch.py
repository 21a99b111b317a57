"""The watch: an audit on a timer, and one message when a verdict is another one than at the audit before.

    python -m controls.watch      as art32-watch.service runs it

What it was given lies in /etc/art32/watch, what it finds in its state directory. When no audit can be made at all it
fails, and the unit's alarm tells so once; when hosts do not answer, that is what their verdicts say.
"""

from __future__ import annotations

__all__ = ["Message", "compose", "prune"]

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.module_utils import access
from plugins.module_utils.audit import AuditError, audit

from .catalogue import load
from .evidence import Store
from .history import Change, changes, traces
from .unattended import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .judges.changes import Trace

GIVEN = Path("/etc/art32/watch")
ALERT = "/usr/local/lib/art32/alert"
UNIT = "art32-watch.service"
BUNDLES = "[0-9]*T[0-9]*Z*"


class WatchError(Exception):
    """No audit can be made, or what it found could not be told; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is told of one audit: a line that says what matters, and the rest."""

    title: str
    lines: Sequence[str]


def compose(before: Mapping[str, Any], after: Mapping[str, Any], logs: Mapping[str, Trace]) -> Message | None:
    """The message about the verdicts in which two reports differ; None when there is nothing to tell."""
    found = changes(before, after, logs)
    if not found:
        return None
    lines = [f"{len(found)} {'verdict' if len(found) == 1 else 'verdicts'} changed since {before['time']}."]
    for change in found:
        lines += ["", *_of_change(change, after)]
    for host in sorted({change.host for change in found if change.host} & logs.keys()):
        told = [f"  {line}" for line in logs[host].lines]
        lines += ["", f"What {host}'s own logs say since then (UTC):", *(told or ["  nothing"])]
    return Message(title=_title(found), lines=lines)


def _title(found: Sequence[Change]) -> str:
    first = found[0]
    if len(found) == 1:
        return f"{first.control} on {_on(first.host)}: {first.before or 'none'} -> {first.after or 'none'}"
    names = ", ".join(dict.fromkeys(change.control for change in found))
    hosts = ", ".join(dict.fromkeys(_on(change.host) for change in found))
    return f"{len(found)} verdicts changed on {hosts}: {names}"


def _of_change(change: Change, after: Mapping[str, Any]) -> list[str]:
    """One change: promise, host, both verdicts, why, how to mend it, and who was there."""
    control = load().get(change.control)
    reasons = [entry["reason"] for entry in after["controls"] if (entry["id"], entry["host"]) == _key(change)]
    promise = f" {control.promise}" if control else ""
    lines = [
        f"{change.control}{promise}",
        f"  host:   {_on(change.host)}",
        f"  before: {change.before or 'not there'}",
        f"  now:    {change.after or 'not there any more'}",
    ]
    lines += [f"  why:    {reason}" for reason in reasons if reason]
    if control and change.after != "met":
        lines.append(f"  mend:   {' '.join(control.mend.split())}")
    lines.append(f"  who:    {change.who or 'the host was not asked, so nobody knows'}")
    return lines


def _key(change: Change) -> tuple[str, str | None]:
    return change.control, change.host


def _on(host: str | None) -> str:
    return host or "no host"


def prune(directory: Path, keep: int) -> list[str]:
    """Remove all but the newest bundles; the names of those removed. What is left is still one chain."""
    bundles = sorted(path for path in directory.glob(BUNDLES) if path.is_dir() and not path.is_symlink())
    gone = bundles[:-keep]
    for bundle in gone:
        shutil.rmtree(bundle)
    return [bundle.name for bundle in gone]


def tell(message: Message) -> None:
    """Hand a message to the host's alarm.

    Raises WatchError when it reached nobody.
    """
    command = [ALERT, "--say", UNIT, message.title]
    told = subprocess.run(command, input="\n".join(message.lines), text=True, check=False, capture_output=True)
    sys.stdout.write(told.stdout)
    if told.returncode != 0:
        raise WatchError(f"What changed could not be told: {told.stdout.strip()} {told.stderr.strip()}")


def check_certificate(identity: Path, now: datetime) -> None:
    """Raise WatchError when nobody would let the watch in any more."""
    path = access.certificate_of(identity)
    found = access.read(path.read_text(encoding="utf-8")) if path.exists() else None
    if found is None or found.valid_before < now.timestamp():
        until = datetime.fromtimestamp(found.valid_before, tz=UTC).isoformat() if found else "never there"
        raise WatchError(f"The certificate {path} is not good any more ({until}); a run of site.yml renews it.")


def watch(state: Path, settings: Mapping[str, Any]) -> None:
    """Audit, and tell what changed since the audit before; what reached nobody is told next time.

    Raises WatchError or AuditError when there is nothing to compare, or nobody heard of it.
    """
    check_certificate(Path(IDENTITY), datetime.now(tz=UTC))
    evidence, known, untold = state / "evidence", state / "last.json", state / "untold.json"
    bundle = audit(GIVEN, evidence, "observe")
    report = _read(bundle / "report.json")
    message = compose(_read(known), report, traces(Store.recalled(bundle), report)) if known.exists() else None
    waiting = _read(untold) if untold.exists() else []
    if message:
        waiting.append(asdict(message))
        _write(untold, waiting)
    _write(known, report)
    prune(evidence, settings["keep"])
    while waiting:
        tell(Message(**waiting[0]))
        del waiting[0]
        _write(untold, waiting)


def _read(path: Path) -> Any:  # noqa: ANN401 - as the file has it
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, content: object) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    fresh.replace(path)


def main() -> int:
    """Watch once."""
    try:
        watch(Path(os.environ["STATE_DIRECTORY"]), _read(GIVEN / "watch.json"))
    except (WatchError, AuditError) as error:
        sys.stderr.write(f"watch: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
