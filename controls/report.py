"""The bundle of one audit: report.json for programs, report.html for readers, the annex for the contract."""

from __future__ import annotations

__all__ = ["Audit", "build", "page", "write_bundle"]

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml
from markupsafe import Markup, escape

from . import annex
from .answers import Answer, answers
from .catalogue import load
from .environment import DECLARATION
from .history import Report, changes, earlier, last_proofs, timeline, traces
from .seal import seal, signer
from .verdict import STATUSES, Check, Exceptions, Verdict, combine, open_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .environment import Environment
    from .evidence import Store
    from .judges.changes import Trace

TEMPLATES = Path(__file__).parent / "templates"
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the page tells: this audit's report and what stands behind it, and the reports before it."""

    report: Report
    verdicts: Sequence[Verdict]
    missing: Sequence[str]
    exceptions: Exceptions
    answers: Sequence[Answer] = ()
    before: Sequence[Report] = ()
    signer: str = ""
    kinds: str = "observe"
    traces: Mapping[str, Trace] = field(default_factory=dict)


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


def write_bundle(  # noqa: PLR0913 - an audit's parts
    environment: Environment,
    *,
    checks: Iterable[Check],
    exceptions: Exceptions,
    store: Store,
    time: datetime,
    kinds: str = "observe",
) -> None:
    """Write everything that an audit found beside its raw outputs, and seal it.

    Raises SealError when the environment's key cannot sign.
    """
    directory = store.directory
    verdicts = combine(checks, load())
    report = build(
        environment=environment.name,
        time=time,
        version=_version(),
        hosts=environment.managed,
        verdicts=verdicts,
    )
    before = earlier(directory)
    audit = Audit(
        report=report,
        verdicts=verdicts,
        missing=open_points(verdicts, exceptions),
        exceptions=exceptions,
        answers=answers(environment, store, time),
        before=before,
        signer=signer(environment),
        kinds=kinds,
        traces=traces(store, report),
    )
    store.write_index()
    _write(directory / "report.json", json.dumps(report, indent=2) + "\n")
    _write(directory / "open.json", json.dumps(audit.missing, indent=2) + "\n")
    _write(directory / "report.html", page(audit))
    sentences = annex.state(environment, last_proofs([*before, report]), time, audit.signer)
    _write(directory / "annex.md", annex.markdown(sentences))
    _write(directory / "annex.html", annex.html(sentences))
    _write(directory / DECLARATION, json.dumps(environment.told(), indent=1) + "\n")
    seal(directory, environment, report)


def page(audit: Audit) -> str:
    """The report as one self-contained HTML page."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template.filters["code"] = _code
    last = audit.before[-1] if audit.before else None
    return template.get_template("report.html.j2").render(
        audit=audit,
        report=audit.report,
        promises=_promises(audit),
        changes=changes(last, audit.report, audit.traces) if last else [],
        last=last,
        statuses=STATUSES,
        length=len(audit.before) + 1,
    )


def _code(text: str) -> Markup:
    """A sentence whose `commands` are set as such."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it was escaped


def _promises(audit: Audit) -> list[dict[str, Any]]:
    """Each control with its verdicts on every host, the worst of them, how it went, and whether anything is open."""
    promises = []
    reports = [*audit.before, audit.report]
    for identifier, control in load().items():
        own = [verdict for verdict in audit.verdicts if verdict.control == identifier]
        promises.append(
            {
                "control": control,
                "status": min((verdict.status for verdict in own), key=STATUSES.index),
                "verdicts": own,
                "open": any(line.startswith(identifier) for line in audit.missing),
                "timeline": timeline(reports, identifier),
            }
        )
    return promises


def _version() -> str:
    galaxy = Path(__file__).parent.parent / "galaxy.yml"
    if galaxy.exists():
        return str(yaml.safe_load(galaxy.read_text(encoding="utf-8"))["version"])
    manifest = json.loads(galaxy.with_name("MANIFEST.json").read_text(encoding="utf-8"))
    return str(manifest["collection_info"]["version"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
