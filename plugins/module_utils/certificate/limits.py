# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was issued here, and whether one more stays under the limits that Let's Encrypt publishes.

The figures are those of https://letsencrypt.org/docs/rate-limits/. Each is taken as a sliding window, which is never
more generous than the directory's own refill. The log has one JSON object a line.
"""

from __future__ import annotations

__all__ = ["LOG", "Entry", "limit_problems", "read_log", "write_log"]

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOG = Path("/var/lib/letsencrypt/art32-issued.jsonl")
KEPT = timedelta(days=90)
# Made for trials: its limits are far higher.
STAGING = "acme-staging-v02.api.letsencrypt.org"
SAME_NAMES, SAME_NAMES_WITHIN = 5, timedelta(days=7)
DOMAIN, DOMAIN_WITHIN = 50, timedelta(days=7)
ORDERS, ORDERS_WITHIN = 300, timedelta(hours=3)
FAILURES, FAILURES_WITHIN = 5, timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One try: `outcome` is issued, renewed (not counted against new certificates) or failed."""

    time: str
    directory: str
    names: tuple[str, ...]
    outcome: str

    @property
    def when(self) -> datetime:
        """When it was."""
        return datetime.fromisoformat(self.time)


def read_log(log: Path = LOG) -> list[Entry]:
    """The tries that were written down; a line cut off by a full disk is left out."""
    if not log.exists():
        return []
    entries = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            told = json.loads(line)
            entry = Entry(**{**told, "names": tuple(told["names"])})
            _ = entry.when
        except (ValueError, TypeError, KeyError):
            continue
        entries.append(entry)
    return entries


def write_log(directory: str, names: Sequence[str], outcome: str, *, now: datetime, log: Path = LOG) -> None:
    """Add a try, and forget those that count no more."""
    new = Entry(time=now.isoformat(timespec="seconds"), directory=directory, names=tuple(names), outcome=outcome)
    kept = [entry for entry in read_log(log) if now - entry.when < KEPT]
    log.parent.mkdir(parents=True, exist_ok=True)
    written = log.with_suffix(".new")
    written.write_text("".join(f"{json.dumps(asdict(entry))}\n" for entry in (*kept, new)), encoding="utf-8")
    written.replace(log)


def limit_problems(entries: Iterable[Entry], directory: str, names: Sequence[str], *, now: datetime) -> list[str]:
    """The published limits that one more certificate for these names would break, each with when it is free again."""
    if urlsplit(directory).hostname == STAGING:
        return []
    here = [entry for entry in entries if entry.directory == directory]
    problems = [
        _over(
            [entry for entry in here if entry.outcome != "failed" and set(entry.names) == set(names)],
            (SAME_NAMES, SAME_NAMES_WITHIN),
            f"certificates for exactly {', '.join(names)}",
            now,
        ),
        _over(here, (ORDERS, ORDERS_WITHIN), "orders of one account", now),
    ]
    for domain in sorted({_registered(name) for name in names}):
        issued = [entry for entry in here if entry.outcome == "issued" and domain in map(_registered, entry.names)]
        problems.append(_over(issued, (DOMAIN, DOMAIN_WITHIN), f"certificates under {domain}", now))
    for name in names:
        failed = [entry for entry in here if entry.outcome == "failed" and name in entry.names]
        problems.append(_over(failed, (FAILURES, FAILURES_WITHIN), f"failed tries for {name}", now))
    return [problem for problem in problems if problem]


def _over(entries: Sequence[Entry], limit: tuple[int, timedelta], what: str, now: datetime) -> str:
    allowed, within = limit
    recent = sorted(entry.when for entry in entries if now - entry.when < within)
    if len(recent) < allowed:
        return ""
    free = (recent[-allowed] + within).astimezone(UTC)
    return (
        f"{len(recent)} {what} within {_spoken(within)}, {allowed} are allowed ({LOG}):"
        f" wait until {free:%Y-%m-%d %H:%M} UTC, or try with Let's Encrypt's staging directory"
    )


def _registered(name: str) -> str:
    """The last two labels: under a suffix like co.uk that counts more together than the directory does, never less."""
    return ".".join(name.split(".")[-2:])


def _spoken(period: timedelta) -> str:
    return f"{period.days} days" if period.days else f"{period.seconds // 3600} h"
