"""What may be issued, to whom and for how long, and what the log tells."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils import access, issuing

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = [
    {"name": "jane", "email": "jane@example.test", "ssh": "admin"},
    {"name": "joe", "email": "joe@example.test", "database": "readonly"},
    {"name": "zoe", "email": "zoe@example.test", "ssh": "user", "until": "2026-03-02"},
]


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_key(tmp_path_factory.mktemp("key") / "key")


@pytest.fixture
def signer(tmp_path: Path) -> access.Authority:
    return access.authority(str(tmp_path / "ca"), make_key(tmp_path / "ca"))


@pytest.fixture
def wish(public: str) -> issuing.Wish:
    return issuing.Wish(person="jane", reason="ticket 4711", public=public)


def shown(certificate: str, directory: Path) -> str:
    path = directory / "shown-cert.pub"
    path.write_text(certificate, encoding="utf-8")
    return subprocess.run(["ssh-keygen", "-L", "-f", path], check=True, capture_output=True, text=True).stdout


def test_a_plain_wish_is_granted_for_sixteen_hours(
    wish: issuing.Wish, signer: access.Authority, tmp_path: Path
) -> None:
    assert issuing.check_wish(wish, PEOPLE, [], NOW) == []
    certificate = issuing.grant(wish, "production", signer, tmp_path / "log")
    found = access.read(certificate)
    assert found
    left = datetime.fromtimestamp(found.valid_before, tz=UTC) - datetime.now(tz=UTC)
    assert timedelta(hours=15, minutes=59) < left <= timedelta(hours=16)
    text = shown(certificate, tmp_path)
    assert 'Key ID: "jane@production ticket 4711"' in text
    assert text.split("Principals:")[1].split("Critical")[0].split() == ["jane"]
    assert text.split("Extensions:")[1].split() == ["permit-pty"]


def test_options_stand_in_the_certificate(wish: issuing.Wish, signer: access.Authority, tmp_path: Path) -> None:
    asked = replace(wish, source_addresses=("198.51.100.5/32", "fd32::/64"), force_command="uptime", pty=False)
    assert issuing.check_wish(asked, PEOPLE, [], NOW) == []
    text = shown(issuing.grant(asked, "production", signer, tmp_path / "log"), tmp_path)
    assert "force-command uptime" in text
    assert "source-address 198.51.100.5/32,fd32::/64" in text
    assert "permit-pty" not in text


def test_break_glass_opens_the_administrators_accounts_and_rings(
    wish: issuing.Wish, signer: access.Authority, tmp_path: Path
) -> None:
    asked = replace(wish, break_glass=True, hours=30 * 24)
    assert issuing.check_wish(asked, PEOPLE, [], NOW) == []
    text = shown(issuing.grant(asked, "production", signer, tmp_path / "log"), tmp_path)
    assert 'Key ID: "jane@production break-glass ticket 4711"' in text
    assert text.split("Principals:")[1].split("Critical")[0].split() == ["break-glass"]
    assert "force-command /usr/local/lib/art32/break-glass" in text
    assert issuing.check_wish(replace(asked, hours=91 * 24), PEOPLE, [], NOW)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hours": 24.5}, "validity: 24.5 h is not allowed; more than nothing and at most 24 h"),
        ({"hours": 0}, "validity: 0 h is not allowed"),
        ({"person": "joe"}, "person: joe is not allowed; a person of people with ssh: jane"),
        ({"person": "zoe", "hours": 24}, ""),
        ({"reason": " "}, "reason: ' ' is not allowed"),
        ({"reason": "a\nb"}, "reason: "),
        ({"principals": ()}, "principals: none is not allowed"),
        ({"principals": ("root",)}, "principals: root is not allowed; jane, pgbackrest-archive"),
        ({"source_addresses": ("here",)}, "source-address: here is not allowed; a network"),
        ({"force_command": 'a"b'}, "force-command: "),
    ],
)
def test_what_is_refused(wish: issuing.Wish, changed: dict[str, Any], told: str) -> None:
    lines = issuing.check_wish(replace(wish, **changed), PEOPLE, ["pgbackrest-archive"], NOW)
    assert any(line.startswith(told) for line in lines) if told else not lines


def test_nobody_outlasts_the_last_day(wish: issuing.Wish) -> None:
    later = NOW + timedelta(days=1)
    assert "zoe has access until 2026-03-02" in issuing.check_wish(replace(wish, person="zoe"), PEOPLE, [], later)[0]


def test_every_issue_is_logged_and_can_be_revoked(wish: issuing.Wish, signer: access.Authority, tmp_path: Path) -> None:
    log = tmp_path / "issued.jsonl"
    serials = []
    for person in ("jane", "jane", "zoe"):
        found = access.read(issuing.grant(replace(wish, person=person), "production", signer, log))
        assert found
        serials.append(found.serial)
    entries = issuing.read_log(log)
    assert [entry["serial"] for entry in entries] == serials
    assert len(set(serials)) == len(serials)
    assert entries[0]["id"] == "jane@production ticket 4711"
    assert entries[0]["key"] == access.fingerprint(wish.public)
    assert entries[0]["authority"] == access.fingerprint(signer.public)
    now = datetime.now(tz=UTC)
    assert [entry["serial"] for entry in issuing.revocations_of(entries, "jane", "lost", now)] == serials[:2]
    assert issuing.revocations_of(entries, "jane", "lost", now + timedelta(days=1)) == []


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("8h", 8), ("1d", 24)])
def test_durations(text: str, hours: float) -> None:
    assert issuing.in_hours(text) == hours


@pytest.mark.parametrize("text", ["", "8", "h", "8 h", "-1h", "1w"])
def test_impossible_durations(text: str) -> None:
    with pytest.raises(issuing.IssueError, match="a duration like 30m"):
        issuing.in_hours(text)
