"""What an auditor asks first, answered from what was seen: ten questions for the first screen of the report."""

from __future__ import annotations

__all__ = ["Answer", "answers"]

import json
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .evidence import NotAssessedError
from .judges import backups, logs, ports
from .words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .environment import Environment
    from .evidence import Evidence, Store

MINUTE, HOUR, DAY = 60, 3600, 86400
NO_CONTACT = "no primary contact yet"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question with its answer, the control that proves it, and the raw outputs that it was read from."""

    question: str
    text: str
    control: str
    evidence: tuple[str, ...] = ()
    known: bool = True


class UnknownError(Exception):
    """A question cannot be answered from what was seen; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one audit has: the declaration, the outputs that were kept, and its time."""

    environment: Environment
    store: Store
    time: datetime

    def of(self, host: str, name: str) -> Evidence:
        """One output.

        Raises UnknownError when it was not asked or its command failed.
        """
        kept = self.store.find(host, name)
        if kept is None:
            raise UnknownError(f"{host} was not asked")
        if kept.rc != 0:
            raise UnknownError(f"{host} had no answer")
        return kept

    def services(self) -> Iterator[tuple[dict[str, Any], Evidence]]:
        """Every service that tells about itself, and what it told."""
        for host in self.environment.hosts("app"):
            for service in self.environment.services_on(host):
                if service["conformance"]:
                    yield service, self.of(host, f"conformance-{service['name']}")


Found = tuple[str, list["Evidence"]]


def answers(environment: Environment, store: Store, time: datetime) -> list[Answer]:
    """The ten answers; what cannot be answered says why."""
    seen = Seen(environment=environment, store=store, time=time)
    return [_answer(question, control, ask, seen) for question, control, ask in QUESTIONS]


def _answer(question: str, control: str, ask: Callable[[Seen], Found], seen: Seen) -> Answer:
    try:
        text, evidence = ask(seen)
    except (UnknownError, NotAssessedError, backups.BackupError) as error:
        return Answer(question=question, text=f"Not known: {error}.", control=control, known=False)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        text = f"Not known: what was seen has another form ({type(error).__name__}: {error})."
        return Answer(question=question, text=text, control=control, known=False)
    paths = tuple(dict.fromkeys(kept.path for kept in evidence))
    return Answer(question=question, text=text, control=control, evidence=paths)


def _reachable(seen: Seen) -> Found:
    visitors = seen.environment.hosts("visitor")
    if not visitors:
        raise UnknownError("no host of vantage_visitor is declared to look from")
    lines, evidence = [], []
    for host in seen.environment.managed:
        kept = seen.of(visitors[0], f"ports-of-{host}")
        met = ports.parse(kept.text)
        families = {":" in address for address, _ in met}
        opened = sorted({port for (_, port), outcome in met.items() if outcome == "open"})
        over = " and ".join(name for six, name in ((False, "IPv4"), (True, "IPv6")) if six in families)
        lines.append(f"{host}: {_listed(opened) or 'nothing'} over {over}")
        evidence.append(kept)
    is_here = seen.environment.get("ansible_connection", host=visitors[0]) == "local"
    by = "the controller itself" if is_here else f"the machine {visitors[0]}"
    return f"{'; '.join(lines)}. Tried from outside, by {by}.", evidence


def _access(seen: Seen) -> Found:
    parts = []
    for layer, what in (("ssh", "servers"), ("database", "database"), ("platform", "platform")):
        people = seen.environment.people(layer)
        listed = ", ".join(f"{name} ({role})" for name, role in sorted(people.items()))
        parts.append(f"{what}: {listed or 'nobody'}")
    evidence = [seen.of(host, "principals") for host in seen.environment.managed]
    return f"{_first_upper('; '.join(parts))}.", evidence


def _certificate(seen: Seen) -> Found:
    lines, evidence = [], []
    for service in seen.environment.services:
        kept = next(_pages(seen, service["domain"]), None)
        if kept is None:
            raise UnknownError(f"{service['domain']} was not visited")
        served = json.loads(kept.text.rpartition("\ncertificate ")[2])
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(served["notAfter"]), tz=UTC)
        issuer = {name: value for part in served["issuer"] for name, value in part}
        by = issuer.get("organizationName") or issuer.get("commonName", "an unnamed authority")
        lines.append(f"{service['domain']}: {_day(end)}, in {counted((end - seen.time).days, 'day')}; issued by {by}")
        evidence.append(kept)
    if not lines:
        raise UnknownError("no service is declared")
    return f"{'; '.join(lines)}.", evidence


def _pages(seen: Seen, domain: str) -> Iterator[Evidence]:
    for kept in seen.store.everything():
        if kept.name.startswith(f"GET-https-{domain}/") and "\ncertificate {" in kept.stdout:
            yield kept


def _where(seen: Seen) -> Found:
    environment = seen.environment
    names = sorted({service["database"] for service in environment.services if service["database"]})
    copies = environment.hosts("backup")
    if environment.backs_up_to_bucket:
        copies = [f"the bucket {environment.get('backup_s3_bucket')} in {environment.get('backup_s3_region')}"]
    stored = f"PostgreSQL {_listed(names)} on {_listed(environment.hosts('database'))}"
    parts = [
        f"In the region {environment.get('art32_region')}",
        stored if names else "no database is declared",
        f"copies {'in' if environment.backs_up_to_bucket else 'on'} {_listed(copies)}"
        if copies
        else "no host for copies is declared",
    ]
    placed = [kept for host in environment.managed if (kept := seen.store.find(host, "placement-region"))]
    evidence = [kept for kept in [*placed, seen.store.find("declaration", "region")] if kept]
    said = "" if placed else " The region is declared; the provider was not asked."
    return f"{'; '.join(parts)}.{said}", evidence


def _backup(seen: Seen) -> Found:
    lines, evidence = [], []
    for repository in seen.environment.hosts("backup"):
        kept = seen.of(repository, "repository")
        for source in seen.environment.backed_up_by(repository):
            verified = seen.of(repository, f"backup-verified-{source}")
            newest = backups.newest(kept.json(), source, label=verified.json()["label"])
            age = _span((seen.time - newest.ended).total_seconds())
            lines.append(f"{source}: {_minute(newest.ended)}, {age} before this audit; checksums verified since")
            evidence += [kept, verified]
    if not lines:
        raise UnknownError("no host is declared that keeps copies")
    schedule, days = seen.environment.get("backup_schedule"), seen.environment.get("backup_retention_days")
    return f"{'; '.join(lines)}. Made {schedule}, kept {counted(days, 'day')}.", evidence


def _restore(seen: Seen) -> Found:
    lines, evidence = [], []
    for host in seen.environment.hosts("database"):
        kept = seen.of(host, "restore-drill")
        drill = kept.json()
        rows = sum(found["rows"] for found in drill["databases"].values())
        took = _span(sum(drill["seconds"].values()))
        when = _minute(datetime.fromisoformat(drill["time"]))
        equal = f"took {took}; all {counted(rows, 'row')} equal to those of the live database"
        how = equal if drill["passed"] else f"FAILED: {drill['reason']}"
        lines.append(f"{host}: {when}, {how}")
        evidence.append(kept)
    if not lines:
        raise UnknownError("no host keeps a database")
    return f"{'; '.join(lines)}.", evidence


def _passwords(seen: Seen) -> Found:
    lines, evidence = [], []
    for service, kept in seen.services():
        passwords = kept.json()["passwords"]
        kinds = ", ".join(
            f"{number} as {kind.replace(':', ' of cost ')}" for kind, number in passwords["hashes"].items()
        )
        lines.append(f"{service['name']}: {kinds or 'none yet'}; new ones as {passwords['hasher']}")
        evidence.append(kept)
    return _said(lines), evidence


def _activity(seen: Seen) -> Found:
    lines, evidence = [], []
    for service, kept in seen.services():
        activity = kept.json()["activity"]
        chain = activity.get("chain")
        whole = "" if chain is None else f"; their chain of hashes is {'BROKEN' if chain.get('problem') else 'whole'}"
        kind = "can only be added to" if activity["append_only"] else "CAN BE REWRITTEN"
        count, table = counted(activity["count"], "record"), activity["table"]
        lines.append(f"{service['name']}: {count} (table {table}), {kind}{whole}")
        evidence.append(kept)
    return _said(lines), evidence


def _logs(seen: Seen) -> Found:
    lines, evidence = [], []
    for host in seen.environment.hosts("web"):
        kept = seen.of(host, "nginx-logrotate")
        lines.append(f"{host}: access log {counted(logs.kept_days(kept.text), 'day')}")
        evidence.append(kept)
    if not lines:
        raise UnknownError("no host serves the web")
    records = any(service["conformance"] for service in seen.environment.services)
    return f"{'; '.join(lines)}.{' The activity log is never removed.' if records else ''}", evidence


def _trained(seen: Seen) -> Found:
    lines, evidence = [], []
    for service, kept in seen.services():
        told = kept.json()
        days = [entry["due_on"] for entry in told.get("training", [])]
        overdue = sum(day < seen.time.date().isoformat() for day in days)  # who was never trained has no day
        trained = f"{len(days) - overdue} of {counted(len(days), 'contact person')} trained" if days else NO_CONTACT
        asked, address = told["help"]["path"], told["help"]["address"]
        lines.append(f"{service['name']}: help at {asked}, mailed to {address or 'NOBODY'}; {trained}")
        evidence.append(kept)
    return _said(lines), evidence


QUESTIONS: tuple[tuple[str, str, Callable[[Seen], Found]], ...] = (
    ("What can be reached from outside?", "NET-1", _reachable),
    ("Who has access?", "ACC-1", _access),
    ("When does the certificate end?", "TLS-1", _certificate),
    ("Where is the data?", "LOC-1", _where),
    ("When was the last backup?", "BAK-1", _backup),
    ("When was the last successful restore, and how long did it take?", "BAK-1", _restore),
    ("How are passwords kept?", "ACC-2", _passwords),
    ("Is it recorded who did what?", "LOG-1", _activity),
    ("How long are logs kept?", "LOG-2", _logs),
    ("Who helps the users, and are their contacts trained?", "JOB-1", _trained),
)


def _said(lines: list[str]) -> str:
    if not lines:
        raise UnknownError("no service tells about itself (conformance)")
    return f"{'; '.join(lines)}."


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _span(seconds: float) -> str:
    """A length of time for a sentence, in the largest unit that fits twice."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{re.sub(r'[.]0$', '', f'{seconds / unit:.1f}')} {name}"
    return counted(round(seconds), "second")
