"""The ten questions: answered from what was seen, and honest where nothing was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controls.answers import QUESTIONS, answers
from controls.environment import Environment
from controls.evidence import Store
from controls.words import counted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GROUPS = {
    "all": ["server", "backup", "visitor"],
    "database": ["server"],
    "web": ["server"],
    "app": ["server"],
    "backup_repository": ["backup"],
    "vantage_visitor": ["visitor"],
}
SERVICE = {
    "name": "platform",
    "domain": "platform.example.test",
    "source": {"checkout": "."},
    "application": {"asgi": "a:b"},
    "database": "platform",
    "conformance": ["manage.py", "conformance"],
}
VARIABLES = {
    "art32_region": "eu-central-1",
    "services": [SERVICE],
    "people": [{"name": "jane", "email": "jane@example.test", "ssh": "admin", "database": "readonly"}],
    "backup_schedule": "hourly",
    "backup_retention_days": 30,
}
STOP = int(datetime(2026, 11, 24, 11, 2, tzinfo=UTC).timestamp())
CERTIFICATE = {
    "notAfter": "Feb 22 12:00:00 2027 GMT",
    "issuer": [[["countryName", "US"]], [["organizationName", "Let's Encrypt"]]],
}
TOLD = {
    "passwords": {"hasher": "bcrypt_sha256", "hashes": {"bcrypt:12": 4}, "total": 4},
    "activity": {"table": "activity", "count": 19, "append_only": True, "chain": {"problem": ""}},
    "training": [{"due_on": "2027-01-01"}, {"due_on": ""}],
    "help": {"path": "/help/", "address": "team@example.test"},
}
DRILL = {
    "passed": True,
    "time": "2026-11-23T02:00:00+00:00",
    "seconds": {"restore": 100.0, "checks": 50.0},
    "databases": {"platform": {"rows": 152}},
}
SEEN: list[tuple[str, str, Any]] = [
    ("visitor", "ports-of-server", "192.0.2.1 22 open\n192.0.2.1 5432 silent\nfd32::1 22 open\nfd32::1 443 open\n"),
    ("visitor", "ports-of-backup", "192.0.2.2 22 silent\n"),
    ("server", "principals", "jane:jane\n"),
    ("backup", "principals", "jane:jane\n"),
    (
        "visitor",
        "GET-https-platform.example.test/-at-192.0.2.1",
        f"GET\n\n200\n\npage\nprotocol TLSv1.3\ncertificate {json.dumps(CERTIFICATE, indent=1)}\n",
    ),
    ("declaration", "region", "{}"),
    (
        "backup",
        "repository",
        [{"name": "server", "status": {"code": 0}, "backup": [{"label": "one", "timestamp": {"stop": STOP}}]}],
    ),
    ("backup", "backup-verified-server", {"label": "one"}),
    ("server", "restore-drill", DRILL),
    ("server", "conformance-platform", TOLD),
    ("server", "nginx-logrotate", "daily\nrotate 365\n"),
]
DECLARED = "The region is declared; the provider was not asked."
SAID = [
    "server: 22, 443 over IPv4 and IPv6; backup: nothing over IPv4. Tried from outside, by the machine visitor.",
    "Servers: jane (admin); database: jane (readonly); platform: nobody.",
    "platform.example.test: 2027-02-22, in 90 days; issued by Let's Encrypt.",
    f"In the region eu-central-1; PostgreSQL platform on server; copies on backup. {DECLARED}",
    "server: 2026-11-24 11:02 UTC, 58 minutes before this audit; checksums verified since. Made hourly, kept 30 days.",
    "server: 2026-11-23 02:00 UTC, took 2.5 minutes; all 152 rows equal to those of the live database.",
    "platform: 4 as bcrypt of cost 12; new ones as bcrypt_sha256.",
    "platform: 19 records (table activity), can only be added to; their chain of hashes is whole.",
    "server: access log 365 days. The activity log is never removed.",
    "platform: help at /help/, mailed to team@example.test; 1 of 2 contact persons trained.",
]


@pytest.fixture
def environment() -> Environment:
    """An environment of three hosts."""
    return Environment(directory=Path("unit"), groups=GROUPS, hostvars=dict.fromkeys(GROUPS["all"], VARIABLES))


def seen(directory: Path, *, without: str = "", rc: int = 0) -> Store:
    """What an audit kept."""
    store = Store(directory)
    for host, name, content in SEEN:
        text = content if isinstance(content, str) else json.dumps(content)
        if name != without:
            store.keep(host=host, name=name, command="true", rc=0, stdout=text)
        elif rc:
            store.keep(host=host, name=name, command="true", rc=rc, stdout="")
    return store


def test_every_question_is_answered_with_its_evidence(environment: Environment, tmp_path: Path) -> None:
    found = answers(environment, seen(tmp_path), NOON)
    assert [answer.text for answer in found] == SAID
    assert all(answer.known and answer.evidence for answer in found)
    assert all((tmp_path / path).is_file() for answer in found for path in answer.evidence)


@pytest.mark.parametrize("rc", [0, 1], ids=["not asked", "failed"])
@pytest.mark.parametrize("name", [name for _, name, _ in SEEN if name not in ("region", "conformance-platform")])
def test_what_was_not_seen_is_not_known(environment: Environment, tmp_path: Path, name: str, rc: int) -> None:
    unknown = [answer for answer in answers(environment, seen(tmp_path, without=name, rc=rc), NOON) if not answer.known]
    assert len(unknown) == 1
    assert all(answer.text.startswith("Not known: ") for answer in unknown)


def test_nothing_seen_answers_nothing(environment: Environment, tmp_path: Path) -> None:
    found = answers(environment, Store(tmp_path), NOON)
    assert len(found) == len(QUESTIONS) == 10
    assert [answer.question for answer in found if answer.known] == ["Where is the data?"]


def test_an_odd_form_is_told(environment: Environment, tmp_path: Path) -> None:
    store = seen(tmp_path)
    store.keep(host="server", name="restore-drill", command="cat", rc=0, stdout="[]")
    found = {answer.question: answer for answer in answers(environment, store, NOON)}
    answer = found["When was the last successful restore, and how long did it take?"]
    assert "what was seen has another form" in answer.text


def test_a_failed_restore_says_so(environment: Environment, tmp_path: Path) -> None:
    store = seen(tmp_path)
    failed = json.dumps({**DRILL, "passed": False, "reason": "rows differ"})
    store.keep(host="server", name="restore-drill", command="cat", rc=0, stdout=failed)
    assert any("FAILED: rows differ" in answer.text for answer in answers(environment, store, NOON))


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 contacts"), (1, "1 contact"), (1.0, "1 contact"), (2, "2 contacts"), (0.5, "0.5 contacts")],
)
def test_what_is_counted_is_one_or_several(number: float, said: str) -> None:
    assert counted(number, "contact") == said


def test_a_figure_of_a_large_log_is_told_whole() -> None:
    assert counted(12_345_678, "row") == "12345678 rows"
