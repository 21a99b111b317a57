"""What nginx writes down and for how long, read from its log and from logrotate's configuration."""

from __future__ import annotations

__all__ = ["Entry", "kept_days", "overdue", "parse", "parse_all"]

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

# https://nginx.org/en/docs/http/ngx_http_log_module.html: the predefined format `combined`.
COMBINED = re.compile(
    r'(?P<client>\S+) - (?P<account>\S+) \[(?P<time>[^]]+)\] "(?P<request>[^"]*)" '
    r'(?P<status>\d{3}) (?P<size>\d+) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
)
PERIODS = {"hourly": 1 / 24, "daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}

A_DAY = 86400
GRACE_DAYS = 2  # logrotate looks once a day, and removes what is older than so many whole days


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request as the log has it."""

    client: str
    account: str
    request: str
    status: int


def parse(line: str) -> Entry | None:
    """One line of the combined format; None when it is something else."""
    found = COMBINED.fullmatch(line.strip())
    if not found:
        return None
    client, account, request = found["client"], found["account"], found["request"]
    return Entry(client=client, account=account, request=request, status=int(found["status"]))


def parse_all(text: str) -> list[Entry]:
    """The entries of several lines, without those of another format."""
    return [entry for entry in map(parse, text.splitlines()) if entry]


def kept_days(configuration: str) -> float:
    """How many days of logs a logrotate section keeps: its period times its count, `maxage` at most."""
    words = [line.split() for line in configuration.splitlines() if line.split() and not line.lstrip().startswith("#")]
    period = next((PERIODS[line[0]] for line in words if line[0] in PERIODS), 7)
    numbers = {line[0]: int(line[1]) for line in words if line[0] in ("rotate", "maxage") and len(line) > 1}
    return min(numbers.get("rotate", 0) * period, numbers.get("maxage", float("inf")))


def overdue(listed: str, days: float, now: datetime) -> list[str]:
    """The logs that should be gone: each file's last line, by the time it was written, is older than they are kept."""
    found = [line.split(maxsplit=1) for line in listed.splitlines()]
    ages = {name: (now.timestamp() - float(written)) / A_DAY for written, name in found}
    return [f"{name} ({age:.0f} days)" for name, age in sorted(ages.items()) if age > days + GRACE_DAYS]
