"""The bundle: valid by its schema, readable without a network, honest about when something was last proved."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from controls import annex
from controls.catalogue import load
from controls.environment import Environment
from controls.evidence import Store
from controls.history import changes, last_proofs, timeline
from controls.report import Audit, build, page, write_bundle
from controls.verdict import STATUSES, Check, Exceptions, combine

SCHEMA = json.loads(Path("controls/report.schema.json").read_text(encoding="utf-8"))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERVICE = {
    "name": "platform",
    "domain": "platform.example.test",
    "source": {"checkout": "."},
    "application": {"asgi": "a:b"},
    "database": "platform",
    "admin_paths": ["/admin/"],
}
VARIABLES = {
    "art32_environment": "unit",
    "art32_region": "eu-central-1",
    "provider_name": "Example Software GmbH",
    "provider_contact": "privacy@example.test",
    "network_management": ["198.51.100.5/32"],
    "network_exposure": [
        {"service": "https", "port": 443, "from": "anywhere", "on": "all"},
        {"service": "postgresql", "port": 5432, "from": "management", "on": "all"},
    ],
    "people": [{"name": "jane", "email": "jane@example.test", "ssh": "admin", "platform": "staff"}],
    "services": [SERVICE],
    "certbot_directory_url": "https://acme-v02.api.letsencrypt.org/directory",
    "nginx_log_retention_days": 365,
    "provider_subprocessors": ["Cloud <Ltd>, Frankfurt"],
    "vault_secret": "canary-3f1c",
}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment that was never asked."""
    return Environment(directory=tmp_path / "unit", groups={"all": ["server"]}, hostvars={"server": VARIABLES})


def audit(checks: list[Check], **values: Any) -> Audit:  # noqa: ANN401 - whatever the page is told
    """What the page of an audit with these checks tells."""
    verdicts = combine(checks, load())
    report = build(environment="unit", time=NOON, version="1", hosts=["server"], verdicts=verdicts)
    return Audit(report=report, verdicts=verdicts, exceptions=Exceptions(), **{"missing": [], **values})


def all_met() -> list[Check]:
    """One met check of every control."""
    evidence = ("raw/server/seen.txt",)
    return [Check(control=name, host="server", name="it holds", status="met", evidence=evidence) for name in load()]


def one_of_each() -> list[Check]:
    """Checks of one control in every state, with a reason that would break an unescaped page."""
    reason = '<script src="https://evil.example/x.js"></script>'
    return [Check(control="NET-1", host="server", name=status, status=status, reason=reason) for status in STATUSES]


@pytest.mark.parametrize("checks", [[], all_met(), one_of_each()], ids=["nothing", "all met", "one of each"])
def test_report_is_valid_by_its_schema(checks: list[Check]) -> None:
    verdicts = combine(checks, load())
    report = build(environment="unit", time=NOON, version="0.1.0", hosts=["server"], verdicts=verdicts)
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "change",
    [{"status": "passed"}, {"checks": []}, {"status": "not met"}, {"surprise": 1}, {"id": "NET"}],
    ids=lambda change: next(iter(change)),
)
def test_schema_refuses_what_the_contract_does_not_have(change: dict[str, object]) -> None:
    report = build(environment="unit", time=NOON, version="1", hosts=["server"], verdicts=combine(all_met(), ["NET-1"]))
    report["controls"][0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_page_asks_nothing_of_anybody_else() -> None:
    text = page(audit(one_of_each(), missing=["NET-1: open"]))
    assert "<script" not in text
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|url\(|@import""", text)


def test_page_names_every_promise_and_its_evidence() -> None:
    text = page(audit(all_met()))
    assert all(f'id="{name}"' in text for name in load())
    assert text.count('href="raw/server/seen.txt"') == len(load())


def test_page_tells_how_each_promise_went_and_what_changed() -> None:
    before = audit(one_of_each()).report | {"time": "2026-11-23T12:00:00Z"}
    text = page(audit(all_met(), before=[before]))
    assert 'aria-label="NET-1 over 2 audits: not met, met"' in text
    assert "verdicts changed since" in text
    assert "was not there" in text  # the other controls had no host before


def test_page_of_many_audits_stays_small() -> None:
    many = [audit(all_met()).report | {"time": f"2026-10-{day:02}T12:00:00Z"} for day in range(1, 32)] * 10
    assert len(page(audit(all_met(), before=many)).encode()) < 300_000


def test_bundle_has_every_part_and_no_secret(tmp_path: Path, environment: Environment) -> None:
    bundle = tmp_path / "20261124T120000Z"
    store = Store(bundle)
    write_bundle(environment, checks=all_met(), exceptions=Exceptions(), store=store, time=NOON)
    written = {path.name: path.read_text(encoding="utf-8") for path in bundle.iterdir() if path.is_file()}
    pages = {"report.json", "report.html", "annex.md", "annex.html", "open.json", "declaration.json"}
    assert set(written) == {*pages, "manifest.json", "manifest.json.sig"}
    assert json.loads(written["open.json"]) == []
    assert not [name for name, text in written.items() if str(VARIABLES["vault_secret"]) in text]


def test_changes_are_what_two_audits_see_differently() -> None:
    def report(**statuses: str) -> dict[str, object]:
        entries = [{"id": name.replace("_", "-"), "host": "server", "status": told} for name, told in statuses.items()]
        return {"time": "2026-11-24T01:00:00Z", "controls": entries}

    found = changes(report(NET_1="met", SSH_1="met", DB_1="met"), report(NET_1="met", SSH_1="not met", LOC_1="met"))
    told = [(change.control, change.before, change.after) for change in found]
    assert told == [("SSH-1", "met", "not met"), ("LOC-1", None, "met"), ("DB-1", "met", None)]


def test_timeline_is_the_worst_of_all_hosts() -> None:
    entries = [{"id": "NET-1", "host": host, "status": told} for host, told in (("a", "met"), ("b", "not assessed"))]
    reports: list[dict[str, Any]] = [{"time": "2026-11-24T01:00:00Z", "controls": entries}]
    reports.append({"time": "2026-11-24T02:00:00Z", "controls": []})
    assert [moment.status for moment in timeline(reports, "NET-1")] == ["not assessed", None]


def test_annex_states_every_promise_with_what_is_declared(environment: Environment) -> None:
    text = annex.markdown(annex.state(environment, {"NET-1": "2026-11-24T11:00:00Z"}, NOON, "SHA256:abc"))
    assert all(f"| {name} |" in text for name in load())
    assert "| Provider | Example Software GmbH |" in text
    assert "answer on port 443 and on no other" in text
    assert "issued through Let's Encrypt" in text
    assert "| 2026-11-24T11:00:00Z |" in text
    assert "not proved yet" in text
    assert "| Audits are signed by | SHA256:abc |" in text
    assert "| Sub-processors | Cloud <Ltd>, Frankfurt |" in text


def test_annex_as_a_page_says_the_same_and_escapes_it(environment: Environment) -> None:
    text = annex.html(annex.state(environment, {}, NOON))
    assert all(f'id="{name}"' in text for name in load())
    assert "Cloud &lt;Ltd&gt;, Frankfurt" in text
    assert "answer on port 443 and on no other" in text


@pytest.mark.parametrize(
    ("last", "is_stale"), [("2026-11-24T11:00:00Z", False), ("2026-11-22T11:00:00Z", True)], ids=["fresh", "old"]
)
def test_annex_says_when_a_proof_is_too_old(environment: Environment, last: str, is_stale: bool) -> None:
    assert ("older than it may be" in annex.markdown(annex.state(environment, {"NET-1": last}, NOON))) is is_stale


def test_last_proof_is_the_newest_report_that_was_met_on_every_host() -> None:
    def report(time: str, *statuses: str) -> dict[str, object]:
        return {"time": time, "controls": [{"id": "NET-1", "status": status} for status in statuses]}

    reports = [
        report("2026-11-24T03:00:00Z", "met", "not met"),
        report("2026-11-24T01:00:00Z", "met", "met"),
        report("2026-11-24T02:00:00Z", "met", "waived"),
    ]
    assert last_proofs(reports) == {"NET-1": "2026-11-24T02:00:00Z"}
