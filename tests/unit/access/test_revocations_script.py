"""The host's script: whom it recognises in sshd's log, and when it raises the alarm."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration.revocations import (
    revocation_lines,
    revocation_list,
)

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "roles/sshd/files/usr/local/lib/art32/revocations"
FINGERPRINT = f"SHA256:{'a' * 43}"
AUTHORITY = f"SHA256:{'b' * 43}"
ACCEPTED = (
    "Accepted publickey for jane from 198.51.100.5 port 40000 ssh2:"
    f" ED25519-CERT {FINGERPRINT} ID jane@production ticket (4711) (serial 42) CA ED25519 {AUTHORITY}\n"
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    source = SourceFileLoader("art32_revocations", str(SCRIPT))
    spec = spec_from_loader(source.name, source)
    assert spec
    module = module_from_spec(spec)
    sys.modules[source.name] = module
    source.exec_module(module)
    return module


def test_a_login_is_read_from_the_log(script: ModuleType) -> None:
    login = script.find_login(ACCEPTED)
    assert login == script.Login("jane", "198.51.100.5", FINGERPRINT, "jane@production ticket (4711)", "42", AUTHORITY)


def test_the_newest_line_of_a_process_number_counts(script: ModuleType) -> None:
    older = ACCEPTED.replace("serial 42", "serial 41")
    assert script.find_login(older + ACCEPTED).serial == "42"


def test_a_login_without_a_certificate_is_none(script: ModuleType) -> None:
    bare = f"Accepted publickey for admin from 198.51.100.5 port 40000 ssh2: ED25519 {FINGERPRINT}\n"
    assert script.find_login(bare) is None


@pytest.mark.parametrize(
    ("entry", "is_revoked"),
    [
        ({"serial": 42}, True),
        ({"id": "jane@production ticket (4711)"}, True),
        ({"fingerprint": FINGERPRINT}, True),
        ({"serial": 4}, False),
        ({"id": "jane@production ticket"}, False),
    ],
)
def test_what_the_lines_name_is_revoked(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, object], is_revoked: bool
) -> None:
    lines = tmp_path / "revocations"
    lines.write_text("\n".join(["# a comment: 42", *revocation_lines([{**entry, "reason": "x"}])]), encoding="utf-8")
    monkeypatch.setattr(script, "LINES", lines)
    assert script.find_login(ACCEPTED).is_good(script.fetch_revoked(), {AUTHORITY}) is not is_revoked


def test_a_certificate_is_as_good_as_its_authority(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorities = tmp_path / "user_ca.pub"
    monkeypatch.setattr(script, "AUTHORITIES", authorities)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authorities.with_suffix("")], check=True)
    authorities.write_text(f"# a comment\n\n{authorities.read_text(encoding='utf-8')}", encoding="utf-8")
    trusted = script.fetch_trusted()
    assert len(trusted) == 1
    assert not script.find_login(ACCEPTED).is_good(set(), trusted)
    assert script.find_login(ACCEPTED.replace(AUTHORITY, *trusted)).is_good(set(), trusted)
    authorities.write_text("", encoding="utf-8")
    with pytest.raises(script.RevocationError, match="cannot be read: nobody can log in"):
        script.fetch_trusted()


def test_the_alarm(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "revoked_keys"
    monkeypatch.setattr(script, "LIST", path)
    path.write_bytes(base64.b64decode(revocation_list([], 30, datetime.fromtimestamp(time.time(), tz=UTC))))
    assert "30 are allowed" in script.check(30)
    path.write_bytes(base64.b64decode(revocation_list([], 30, datetime(2026, 1, 1, tzinfo=UTC))))
    with pytest.raises(script.RevocationError, match=r"days old; 30 are allowed[.] Run site[.]yml"):
        script.check(30)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(script.RevocationError, match="cannot be read: nobody can log in"):
        script.check(30)
    path.write_bytes(b"ssh-ed25519 AAAA")
    with pytest.raises(script.RevocationError, match="no list of revoked keys"):
        script.check(30)
