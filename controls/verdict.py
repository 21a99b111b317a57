"""From what single checks found to the verdict on each control: waivers, worst first, what may stay open."""

from __future__ import annotations

__all__ = ["STATUSES", "Check", "Exceptions", "Status", "Verdict", "combine", "in_force", "open_points"]

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Status = Literal["not met", "not assessed", "waived", "met"]
STATUSES: tuple[Status, ...] = get_args(Status)  # worst first
NO_CHECK = "no check ran for this control"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one check found on one host."""

    control: str
    host: str | None
    name: str
    status: Status
    reason: str = ""
    kind: str = "observe"
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state of one control on one host, and the checks it rests on."""

    control: str
    host: str | None
    status: Status
    reason: str
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exceptions:
    """What the environment declares as accepted: `audit_waivers` and `audit_not_assessable`.

    A waiver is {control, reason, owner, until} and may name a host and a check; it ends with the day `until`.
    An entry of not_assessable is a control's id, or {control, check}, and may name a host.
    """

    waivers: Sequence[Mapping[str, Any]] = ()
    not_assessable: Sequence[str | Mapping[str, Any]] = ()
    today: date = field(default_factory=lambda: datetime.now(tz=UTC).date())

    def apply(self, check: Check) -> Check:
        """The check as it counts: what is not met and validly waived becomes `waived`."""
        if check.status != "not met":
            return check
        for waiver in self.waivers:
            if _concerns(waiver, check) and in_force(waiver, self.today):
                reason = f"waived until {_last_day(waiver)} by {waiver['owner']}: {waiver['reason']} ({check.reason})"
                return replace(check, status="waived", reason=reason)
        return check

    def expects(self, check: Check) -> bool:
        """Whether a check that could not be made is one of those declared as impossible here."""
        entries = ({"control": entry} if isinstance(entry, str) else entry for entry in self.not_assessable)
        return any(_concerns(entry, check) for entry in entries)


def combine(checks: Iterable[Check], controls: Iterable[str]) -> list[Verdict]:
    """One verdict for each control and host, the worst of its checks; in the order of the controls.

    A control without any check is `not assessed`, never met.
    """
    found: dict[tuple[str, str | None], list[Check]] = {}
    for check in checks:
        found.setdefault((check.control, check.host), []).append(check)
    verdicts = []
    for control in controls:
        hosts = sorted((host for name, host in found if name == control), key=lambda host: host or "")
        verdicts += [_verdict(control, host, found[control, host]) for host in hosts]
        if not hosts:
            verdicts.append(Verdict(control=control, host=None, status="not assessed", reason=NO_CHECK))
    return verdicts


def in_force(waiver: Mapping[str, Any], today: date) -> bool:
    """Whether a waiver counts on a day: to its last day, `until`."""
    return _last_day(waiver) >= today


def open_points(verdicts: Iterable[Verdict], exceptions: Exceptions) -> list[str]:
    """What stands between this audit and success, one line each; empty when everything is as it should be."""
    lines = []
    for verdict in verdicts:
        if not verdict.checks and not exceptions.expects(_placeholder(verdict)):
            lines.append(f"{verdict.control}: {verdict.status}: {verdict.reason}")
        lines += [
            f"{check.control} on {check.host or 'no host'}: {check.status}: {check.name}: {check.reason}"
            for check in verdict.checks
            if check.status == "not met" or (check.status == "not assessed" and not exceptions.expects(check))
        ]
    return lines


def _verdict(control: str, host: str | None, checks: Sequence[Check]) -> Verdict:
    status = min((check.status for check in checks), key=STATUSES.index)
    reasons = [f"{check.name}: {check.reason}" for check in checks if check.status == status and check.reason]
    ordered = tuple(sorted(checks, key=lambda check: check.name))
    return Verdict(control=control, host=host, status=status, reason="; ".join(reasons), checks=ordered)


def _placeholder(verdict: Verdict) -> Check:
    return Check(control=verdict.control, host=verdict.host, name="", status=verdict.status, reason=verdict.reason)


def _concerns(entry: Mapping[str, Any], check: Check) -> bool:
    return entry["control"] == check.control and all(
        key not in entry or entry[key] == getattr(check, attribute)
        for key, attribute in (("host", "host"), ("check", "name"))
    )


def _last_day(waiver: Mapping[str, Any]) -> date:
    until = waiver["until"]
    return until if isinstance(until, date) else date.fromisoformat(str(until))
