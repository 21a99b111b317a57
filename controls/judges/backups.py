"""What a backup repository holds, read from `pgbackrest info --output=json`."""

from __future__ import annotations

__all__ = ["Backup", "BackupError", "drill_problems", "is_encrypted", "newest"]

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controls.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CIPHER = "aes-256-cbc"


class BackupError(Exception):
    """The repository has no backup that counts; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One complete backup."""

    label: str
    ended: datetime


def newest(stanzas: Sequence[Mapping[str, Any]], name: str, *, label: str = "") -> Backup:
    """The newest complete backup of a database host, or the one with a label.

    Raises BackupError when there is none, or the repository itself says that something is wrong.
    """
    stanza = _stanza(stanzas, name)
    if stanza["status"]["code"] != 0:
        raise BackupError(f"the repository says about {name}: {stanza['status']['message']}")
    complete = [backup for backup in stanza["backup"] if not backup.get("error") and label in ("", backup["label"])]
    if not complete:
        raise BackupError(f"the repository has no complete backup {label and label + ' '}of {name}")
    last = max(complete, key=lambda backup: backup["timestamp"]["stop"])
    return Backup(label=last["label"], ended=datetime.fromtimestamp(last["timestamp"]["stop"], tz=UTC))


def is_encrypted(stanzas: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether every copy of a database host's data is encrypted."""
    stanza = _stanza(stanzas, name)
    return {entry["cipher"] for entry in [*stanza["repo"], stanza]} == {CIPHER}


def drill_problems(report: Mapping[str, Any], *, now: datetime, allowed: timedelta) -> list[str]:
    """What the report of the last restore drill says against it: a failure, its age, or that it showed nothing."""
    found = [] if report["passed"] else [f"The restore drill of {report['time']} failed: {report['reason']}"]
    age = now - datetime.fromisoformat(report["time"])
    if age > allowed:
        found.append(
            f"The last restore drill is {counted(age.days, 'day')} old; "
            f"allowed: {allowed.days} (backup_drill_max_age_days)."
        )
    if report["passed"] and not any(database["tables"] for database in report["databases"].values()):
        found.append("The last restore drill compared no table at all.")
    return found


def _stanza(stanzas: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    for stanza in stanzas:
        if stanza["name"] == name:
            return stanza
    raise BackupError(f"the repository knows nothing of {name}")
