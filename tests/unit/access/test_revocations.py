"""The list of what is revoked, read by the real ssh-keygen."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import DeclarationError, revocations

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keygen(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["ssh-keygen", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def jane(tmp_path: Path) -> Path:
    """A certificate of serial 42 beside its key and its authority."""
    for name in ("ca", "jane", "joe"):
        assert keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name).returncode == 0
    for name, serial in (("jane", 42), ("joe", 43)):
        public = tmp_path / f"{name}.pub"
        signed = keygen("-q", "-s", tmp_path / "ca", "-I", f"{name}@test a reason", "-n", name, "-z", serial, public)
        assert signed.returncode == 0
    return tmp_path


def written(directory: Path, entries: list[dict[str, Any]], days: int = 30) -> Path:
    path = directory / "revoked_keys"
    path.write_bytes(base64.b64decode(revocations.revocation_list(entries, days, NOW)))
    return path


def revoked(path: Path, name: str) -> bool:
    """Whether OpenSSH itself finds a certificate in the list; it fails when it cannot read the list."""
    told = keygen("-Q", "-f", path, path.parent / f"{name}-cert.pub")
    assert "KRL" not in told.stderr, told.stderr
    return "REVOKED" in told.stdout


def entry_for(directory: Path, kind: str) -> dict[str, Any]:
    public = (directory / "jane.pub").read_text(encoding="utf-8").strip()
    fingerprint = keygen("-l", "-f", directory / "jane.pub").stdout.split()[1]
    values = {"serial": 42, "id": "jane@test a reason", "key": public, "fingerprint": fingerprint}
    return {kind: values[kind], "reason": "the laptop is lost"}


def test_an_empty_list_revokes_nothing_and_can_be_read(jane: Path) -> None:
    path = written(jane, [])
    assert keygen("-Q", "-l", "-f", path).returncode == 0
    assert not revoked(path, "jane")


@pytest.mark.parametrize("kind", revocations.KINDS)
def test_every_kind_revokes_exactly_its_certificate(jane: Path, kind: str) -> None:
    path = written(jane, [entry_for(jane, kind)])
    assert revoked(path, "jane")
    assert not revoked(path, "joe")


def test_all_kinds_together(jane: Path) -> None:
    entries = [entry_for(jane, kind) for kind in revocations.KINDS]
    path = written(jane, [{"serial": 7, "reason": "x"}, *entries, {"id": "nobody", "reason": "x"}])
    assert revoked(path, "jane")
    assert not revoked(path, "joe")
    listed = keygen("-Q", "-l", "-f", path).stdout
    assert "serial: 7" in listed
    assert "id: nobody" in listed


def test_the_lines_for_people_make_the_same_list(jane: Path) -> None:
    entries = [entry_for(jane, kind) for kind in revocations.KINDS]
    text = jane / "lines"
    text.write_text("\n".join(revocations.revocation_lines(entries)), encoding="utf-8")
    assert "# the laptop is lost" in text.read_text(encoding="utf-8")
    own = jane / "own"
    assert keygen("-q", "-k", "-s", "none", "-f", own, text).returncode == 0
    assert "REVOKED" in keygen("-Q", "-f", own, jane / "jane-cert.pub").stdout


def test_its_date_moves_in_thirds_of_its_greatest_age(jane: Path) -> None:
    lists = {revocations.revocation_list([], 30, NOW + timedelta(hours=hours)) for hours in range(0, 24 * 30, 12)}
    assert len(lists) in (3, 4)
    listed = keygen("-Q", "-l", "-f", written(jane, [])).stdout
    date = datetime.strptime(listed.split("Generated at ")[1].split()[0], "%Y%m%dT%H%M%S").astimezone()
    assert timedelta() <= NOW - date <= timedelta(days=10)


@pytest.mark.parametrize("kind", revocations.KINDS)
def test_the_controller_knows_what_is_revoked(jane: Path, kind: str) -> None:
    public = {name: (jane / f"{name}.pub").read_text(encoding="utf-8") for name in ("jane", "joe")}
    entries = [entry_for(jane, kind)]
    assert revocations.is_revoked(entries, serial=42, identity="jane@test a reason", public=public["jane"])
    assert not revocations.is_revoked(entries, serial=43, identity="joe@test a reason", public=public["joe"])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"serial": 0, "reason": "x"}, r"sshd_revocations\[0\].serial: 0 is not allowed; the whole number"),
        ({"serial": True, "reason": "x"}, r"sshd_revocations\[0\].serial: true is not allowed"),
        ({"serial": 2**64, "reason": "x"}, r"sshd_revocations\[0\].serial: 18446744073709551616 is not allowed"),
        ({"id": "", "reason": "x"}, r"sshd_revocations\[0\].id: "),
        ({"id": "a\nb", "reason": "x"}, r"sshd_revocations\[0\].id: "),
        ({"key": "AAAA", "reason": "x"}, r"sshd_revocations\[0\].key: AAAA is not allowed; a public key line"),
        ({"fingerprint": "MD5:00", "reason": "x"}, r"sshd_revocations\[0\].fingerprint: MD5:00 is not allowed"),
        ({"serial": 1}, r"sshd_revocations\[0\].reason: missing"),
        ({"serial": 1, "id": "x", "reason": "x"}, "exactly one of serial, id, key, fingerprint"),
        ({"reason": "x"}, "exactly one of serial, id, key, fingerprint"),
        ({"serail": 1, "reason": "x"}, r"sshd_revocations\[0\].serail: unknown; did you mean serial\?"),
    ],
)
def test_an_impossible_entry_is_refused(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        revocations.revocation_list([entry], 30)


def test_a_text_is_no_list() -> None:
    assert "a list of what is revoked" in str(revocations.check_revocations("x")[0])
