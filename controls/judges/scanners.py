"""What independent scanners printed: which of their own tests they made, and which of these failed."""

from __future__ import annotations

__all__ = ["Findings", "exposure", "lynis", "nmap", "observatory", "openscap", "ssh_audit", "sslyze", "testssl"]

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRAVE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
GRADE = "overall_grade"
BEST = "A+"
INDEX = "hardening_index"
# `nmap -oG`: a host's open ports, each as port/state/protocol/owner/service/...
OPEN = re.compile(r"(\d+)/open/(tcp|udp)/")
# `oscap xccdf eval --progress`: each rule and what became of it.
RULE = re.compile(r"(?m)^xccdf_org\.ssgproject\.content_rule_(\w+):(\w+)$")
EVALUATED = ("pass", "fail", "error", "unknown")
EXPOSURE = re.compile(r"Overall exposure level for (\S+): (\d+\.\d+) ")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The tests of a scanner by their own ids: what it says of those that failed, and why others were left out."""

    evaluated: Sequence[str]
    failed: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def told(self, waived: Mapping[str, str]) -> dict[str, Any]:
        """For the bundle: what was evaluated, what failed, and what of it is waived and why."""
        return {
            "evaluated": sorted(self.evaluated),
            "failed": {name: said for name, said in sorted(self.failed.items()) if name not in waived},
            "waived": {
                name: waived.get(name) or self.skipped[name]
                for name in sorted({*self.failed, *self.skipped})
                if name in waived or name in self.skipped
            },
        }


def ssh_audit(printed: str) -> Findings:
    """`ssh-audit -j -P POLICY`: each field of the policy that is another one.

    Raises ValueError when it printed something else.
    """
    told = json.loads(printed)
    failed = {error["mismatched_field"]: f"is {', '.join(error['actual'])}" for error in told["errors"]}
    return Findings(evaluated=[told["policy"], *failed], failed=failed)


def nmap(printed: str, declared: set[int]) -> Findings:
    """`nmap -oG -`: every open port that is not declared.

    Raises ValueError when it did not scan to its end.
    """
    if "# Nmap done" not in printed or "Host: " not in printed:
        raise ValueError("nmap did not come to its end")
    found = {f"{port}/{protocol}" for port, protocol in OPEN.findall(printed)}
    failed = {port: "is open" for port in found if int(port.partition("/")[0]) not in declared}
    scanned = re.findall(r"-p (\S+)|--top-ports (\d+)", printed)
    return Findings(evaluated=[*("".join(one) for one in scanned), *found], failed=failed)


def testssl(printed: str) -> Findings:
    """`testssl --jsonfile`: findings that are grave, and a grade that is not the best.

    Raises ValueError when it gave no grade.
    """
    told = json.loads(printed)
    failed = {entry["id"]: entry["finding"] for entry in told if entry["severity"] in GRAVE}
    grades = [entry["finding"] for entry in told if entry["id"] == GRADE]
    if not grades:
        raise ValueError("testssl gave no grade")
    if grades[0] != BEST:
        failed[GRADE] = grades[0]
    return Findings(evaluated=sorted({entry["id"] for entry in told}), failed=failed)


def observatory(printed: str) -> Findings:
    """What the HTTP Observatory found: tests that do not pass, and a grade that is not the best.

    Raises ValueError when it gave no grade.
    """
    told = json.loads(printed)
    grade = told["scan"]["grade"]
    failed = {name: test["result"] for name, test in told["tests"].items() if not test["pass"]}
    if grade != BEST:
        failed["grade"] = grade
    return Findings(evaluated=[*told["tests"], "grade"], failed=failed)


def openscap(printed: str) -> Findings:
    """`oscap xccdf eval --progress`: each rule of a profile that applies here and is not kept.

    Raises ValueError when there was no rule.
    """
    rules = {name: result for name, result in RULE.findall(printed) if result in EVALUATED}
    if not rules:
        raise ValueError("oscap evaluated no rule")
    failed = {name: f"is {result}" for name, result in rules.items() if result != "pass"}
    return Findings(evaluated=list(rules), failed=failed)


def sslyze(printed: str, policy: str) -> Findings:
    """`sslyze --mozilla_config`: whether what is served is compliant with Mozilla's policy.

    Raises ValueError when it did not judge.
    """
    if "OK - Compliant" in printed:
        return Findings(evaluated=[policy], failed={})
    if "FAILED - Not compliant" not in printed:
        raise ValueError("sslyze did not judge")
    reasons = re.findall(r"(?m)^\s+\* (\S.*)$", printed.partition("FAILED - Not compliant")[2])
    return Findings(evaluated=[policy], failed={policy: "; ".join(reasons) or "is not kept"})


def lynis(report: str, least: int) -> Findings:
    """`lynis-report.dat`, and the tests that were left out: warnings, and an index that is too low.

    Raises ValueError when there is no index.
    """
    lines = [line.partition("=")[::2] for line in report.splitlines()]
    indices = [int(value) for name, value in lines if name == INDEX]
    if not indices:
        raise ValueError("lynis gave no index")
    warnings = [value.split("|") for name, value in lines if name == "warning[]"]
    failed = {words[0]: words[1] if len(words) > 1 else "" for words in warnings}
    if indices[-1] < least:
        failed[INDEX] = f"is {indices[-1]}, {least} is asked for"
    evaluated = [name for key, value in lines if key == "tests_executed" for name in value.split("|") if name]
    skipped = {value: "a container's kernel is the machine's" for name, value in lines if name == "skipped[]"}
    return Findings(evaluated=[*evaluated, INDEX], failed=failed, skipped=skipped)


def exposure(printed: str, most: Mapping[str, float]) -> Findings:
    """`systemd-analyze security UNIT`, of several units: those that are exposed more than theirs may be.

    `most` has the greatest exposure by the beginning of a unit's name.

    Raises ValueError when nothing was judged.
    """
    found = {unit: float(level) for unit, level in EXPOSURE.findall(printed)}
    if not found:
        raise ValueError("systemd-analyze judged no unit")
    allowed = {unit: next(most[start] for start in most if unit.startswith(start)) for unit in found}
    failed = {unit: f"is {level}, {allowed[unit]} is allowed" for unit, level in found.items() if level > allowed[unit]}
    return Findings(evaluated=list(found), failed=failed)
