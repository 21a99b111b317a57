"""Who changed a host, as far as its logs know: logins, programs run as root, files and packages."""

from __future__ import annotations

__all__ = ["NOBODY", "Trace", "trace"]

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOBODY = "the host's logs name nobody"
ROOT = "root"
CERTIFICATE = re.compile(r"publickey (?P<where>\S+) port .* ID (?P<id>.*) \(serial (?P<serial>\d+)\) CA ")
ANY = re.compile(r"(?P<way>\S+) (?P<where>\S+) port ")
SHOWN = 20
RAN, LOGIN, FILE, PACKAGE = "ran", "login", "file", "package"
SESSION = "session"  # a login from before, of somebody who did something since


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Who became root on a host, for a sentence, and the newest of what its logs say, a line each."""

    who: str
    lines: Sequence[str]


def trace(told: str, *, until: datetime, without: Iterable[str] = ()) -> Trace:
    """What `controls/remote/changes.py` printed, up to the time of the audit itself, without some accounts.

    Several accounts may have been root: all of them are named, and none is accused.
    """
    left_out = set(without)
    acts = [act for act in json.loads(told) if act["time"] < until.timestamp() and act["account"] not in left_out]
    logins: dict[str, str] = {}
    named: dict[str, str] = {}
    for act in acts:
        account = act["account"]
        if act["kind"] in (LOGIN, SESSION):
            logins[account] = _with(act["text"])
        if (act["kind"] == RAN and act["as"] == ROOT) or (act["kind"] == LOGIN and account == ROOT):
            named[account] = f"{account}{logins.get(account, ' (logged in long before the last audit)')}"
    who = " or ".join(named.values()) or NOBODY
    shown = [act for act in acts if act["kind"] != SESSION]
    return Trace(who=who, lines=[_line(act) for act in shown[-SHOWN:]])


def _with(text: str) -> str:
    """With what somebody logged in, and from where."""
    shown = CERTIFICATE.match(text)
    if shown:
        return f" (certificate {shown['id']!r}, serial {shown['serial']}, from {shown['where']})"
    other = ANY.match(text)
    return f" ({other['way']} without a certificate, from {other['where']})" if other else ""


def _line(act: Mapping[str, Any]) -> str:
    time = datetime.fromtimestamp(act["time"], tz=UTC).strftime("%H:%M:%S")
    account, text = act["account"], act["text"]
    if act["kind"] == RAN:
        return f"{time} {account} ran {text} as {act['as']}"
    if act["kind"] == LOGIN:
        return f"{time} {account} logged in{_with(text)}"
    return f"{time} {'package: ' if act['kind'] == PACKAGE else ''}{text}{' changed' if act['kind'] == FILE else ''}"
