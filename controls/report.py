"""The bundle of one audit: report.json for programs, report.html for readers, annex.md for the contract."""

from __future__ import annotations

__all__ = ["build", "last_proofs", "write_bundle"]

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from . import annex
from .catalogue import load
from .verdict import STATUSES, Check, Exceptions, Verdict, combine, open_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .environment import Environment

TEMPLATES = Path(__file__).parent / "templates"
TIME = "%Y-%m-%dT%H:%M:%SZ"


def build(
    *, environment: str, time: datetime, version: str, hosts: Sequence[str], verdicts: Iterable[Verdict]
) -> dict[str, Any]:
    """The report as `report.schema.json` describes it."""
    return {
        "environment": environment,
        "time": time.astimezone(UTC).strftime(TIME),
        "version": version,
        "hosts": list(hosts),
        "controls": [
            {
                "id": verdict.control,
                "host": verdict.host,
                "status": verdict.status,
                "reason": verdict.reason,
                "checks": [
                    {"name": check.name, "status": check.status, "evidence": list(check.evidence)}
                    for check in verdict.checks
                ],
            }
            for verdict in verdicts
        ],
    }


def write_bundle(
    directory: Path, environment: Environment, checks: Iterable[Check], exceptions: Exceptions, time: datetime
) -> None:
    """Write everything that an audit found into its directory, beside the raw outputs."""
    verdicts = combine(checks, load())
    report = build(
        environment=environment.name,
        time=time,
        version=_version(),
        hosts=environment.managed,
        verdicts=verdicts,
    )
    missing = open_points(verdicts, exceptions)
    proofs = last_proofs([*_earlier(directory), report])
    _write(directory / "report.json", json.dumps(report, indent=2) + "\n")
    _write(directory / "open.json", json.dumps(missing, indent=2) + "\n")
    _write(directory / "report.html", page(report, verdicts, missing, exceptions))
    _write(directory / "annex.md", annex.render(environment, proofs, time))


def page(report: Mapping[str, Any], verdicts: Sequence[Verdict], missing: Sequence[str], exceptions: Exceptions) -> str:
    """The report as one self-contained HTML page."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return template.get_template("report.html.j2").render(
        report=report,
        promises=_promises(verdicts, missing),
        missing=missing,
        exceptions=exceptions,
        statuses=STATUSES,
    )


def last_proofs(reports: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The newest time at which each control was met or waived on every host, by its id; without those never proved."""
    proofs: dict[str, str] = {}
    for report in sorted(reports, key=lambda report: str(report["time"])):
        for identifier in {entry["id"] for entry in report["controls"]}:
            states = {entry["status"] for entry in report["controls"] if entry["id"] == identifier}
            if states <= {"met", "waived"}:
                proofs[identifier] = report["time"]
    return proofs


def _promises(verdicts: Sequence[Verdict], missing: Sequence[str]) -> list[dict[str, Any]]:
    """Each control with its verdicts on every host, the worst of them, and whether something about it is open."""
    promises = []
    for identifier, control in load().items():
        own = [verdict for verdict in verdicts if verdict.control == identifier]
        status = min((verdict.status for verdict in own), key=STATUSES.index)
        is_open = any(line.startswith(identifier) for line in missing)
        promises.append({"control": control, "status": status, "verdicts": own, "open": is_open})
    return promises


def _earlier(directory: Path) -> list[dict[str, Any]]:
    """The reports of the audits that lie beside this one."""
    paths = directory.parent.glob("*T*Z/report.json")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.parent != directory]


def _version() -> str:
    galaxy = Path(__file__).parent.parent / "galaxy.yml"
    if galaxy.exists():
        return str(yaml.safe_load(galaxy.read_text(encoding="utf-8"))["version"])
    manifest = json.loads(galaxy.with_name("MANIFEST.json").read_text(encoding="utf-8"))
    return str(manifest["collection_info"]["version"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
