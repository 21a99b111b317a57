# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates that a person asks for: what may be issued, for how long, and the log of every issue."""

from __future__ import annotations

__all__ = [
    "BREAK_GLASS",
    "DEFAULT_HOURS",
    "LONGEST_HOURS",
    "IssueError",
    "Wish",
    "check_wish",
    "grant",
    "in_hours",
    "read_log",
    "revocations_of",
]

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from . import access
from .declaration import people_with
from .declaration.people import as_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Short lives are the main revocation: half a working day and a night by default, never more than a day.
DEFAULT_HOURS, LONGEST_HOURS = 16.0, 24.0
BREAK_GLASS = "break-glass"
LONGEST_BREAK_GLASS_DAYS = 90
BREAK_GLASS_COMMAND = "/usr/local/lib/art32/break-glass"
DURATION = re.compile(r"(\d+)([mhd])")
UNITS = {"m": 1 / 60, "h": 1.0, "d": 24.0}
LONGEST_REASON = 200


class IssueError(access.AccessError):
    """What was asked for is not given; a line for each reason."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for.

    `principals` are the person's own name unless given. `public` is the line of the key to certify.
    """

    person: str
    reason: str
    public: str
    hours: float = DEFAULT_HOURS
    principals: tuple[str, ...] | None = None
    source_addresses: tuple[str, ...] = ()
    force_command: str = ""
    pty: bool = True
    break_glass: bool = False


def in_hours(text: str) -> float:
    """Hours of a duration such as 30m, 8h or 7d.

    Raises IssueError when it is none.
    """
    found = DURATION.fullmatch(text)
    if not found:
        raise IssueError(f"validity: {text} is not allowed; a duration like 30m, 8h or 1d")
    return int(found[1]) * UNITS[found[2]]


def check_wish(wish: Wish, people: Any, principals: Sequence[str], now: datetime) -> list[str]:  # noqa: ANN401
    """Why a wish is not granted, a line each; `principals` are those of the system's accounts."""
    longest = LONGEST_BREAK_GLASS_DAYS * 24 if wish.break_glass else LONGEST_HOURS
    known = sorted(person["name"] for person in people_with(people, "ssh", now.date()))
    allowed = {wish.person, *principals}
    lines = []
    if wish.person not in known:
        lines.append(f"person: {wish.person} is not allowed; a person of people with ssh: {', '.join(known)}")
    if not wish.reason.strip() or not wish.reason.isprintable() or len(wish.reason) > LONGEST_REASON:
        lines.append(f"reason: {wish.reason!r} is not allowed; one line, which the servers' logs will show")
    if not 0 < wish.hours <= longest:
        lines.append(f"validity: {wish.hours:g} h is not allowed; more than nothing and at most {longest:g} h")
    if wish.principals is not None and not set(wish.principals) <= allowed:
        wrong = ", ".join(sorted(set(wish.principals) - allowed))
        lines.append(f"principals: {wrong} is not allowed; {', '.join(sorted(allowed))}")
    if wish.principals == ():
        lines.append("principals: none is not allowed; a certificate without principals lets nobody in")
    lines += [
        f"source-address: {network} is not allowed; a network" for network in wish.source_addresses if _odd(network)
    ]
    end = next((as_date(person.get("until")) for person in people if person["name"] == wish.person), None)
    if end and now + timedelta(hours=wish.hours) >= datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(
        days=1
    ):
        lines.append(f"validity: {wish.hours:g} h is not allowed; {wish.person} has access until {end} (people)")
    if re.search(r"[\"\n]", wish.force_command):
        lines.append("force-command: quotation marks and line ends are not allowed")
    return lines


def grant(wish: Wish, environment: str, signer: access.Authority, log: Path) -> str:
    """The certificate line for a wish that was checked; the issue is logged.

    Raises AccessError with ssh-keygen's own message.
    """
    minutes = max(1, round(wish.hours * 60))
    command = BREAK_GLASS_COMMAND if wish.break_glass else wish.force_command
    own = (BREAK_GLASS,) if wish.break_glass else (wish.person,)
    options = [
        *(["permit-pty"] if wish.pty else []),
        *([f"force-command={command}"] if command else []),
        *([f"source-address={','.join(wish.source_addresses)}"] if wish.source_addresses else []),
    ]
    purpose = f"{BREAK_GLASS} {wish.reason}" if wish.break_glass else wish.reason
    request = access.Request(
        identity=access.Grant(person=wish.person, environment=environment, reason=purpose).identity,
        principals=own if wish.principals is None else wish.principals,
        validity=f"+{minutes}m",
        options=tuple(options),
    )
    return access.certify(wish.public, request, signer, log=log)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every issue, the oldest first: time, serial, id, principals, valid_until, key, authority, options, by."""
    return access.read_log(path)


def revocations_of(
    entries: Sequence[Mapping[str, Any]], person: str, reason: str, now: datetime
) -> list[dict[str, Any]]:
    """Entries for sshd_revocations: each certificate of a person that is still good, by its serial."""
    return [
        {"serial": entry["serial"], "reason": f"{entry['id']}: {reason}"}
        for entry in entries
        if str(entry["id"]).partition("@")[0] == person and datetime.fromisoformat(entry["valid_until"]) > now
    ]


def _odd(network: str) -> bool:
    try:
        ip_network(network)
    except ValueError:
        return True
    return False
