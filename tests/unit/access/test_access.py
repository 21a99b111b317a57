"""Certificates for people, made by the real ssh-keygen."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from ansible_collections.art32.server.plugins.module_utils import access

if TYPE_CHECKING:
    from pathlib import Path

JANE = access.Grant(person="jane", environment="production", reason="ticket 4711")


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ca", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(encoding="utf-8").strip()


@pytest.fixture
def signer(tmp_path: Path) -> access.Authority:
    return access.authority(str(tmp_path / "ca"), make_key(tmp_path / "ca"))


def left(key: Path, signer: access.Authority, now: datetime | None = None) -> timedelta:
    return access.remaining(key, person="jane", ca_public=signer.public, now=now or datetime.now(tz=UTC))


def shown(key: Path) -> str:
    command = ["ssh-keygen", "-L", "-f", str(access.certificate_of(key))]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_certificate_is_for_one_person_and_one_hour(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    assert timedelta(minutes=59) < left(key, signer) <= timedelta(hours=1)
    text = shown(key)
    assert 'Key ID: "jane@production ticket 4711"' in text
    assert text.split("Principals:")[1].split("Critical")[0].split() == ["jane"]
    assert text.split("Extensions:")[1].split() == ["permit-pty"]
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_a_lasting_certificate_is_used_again(tmp_path: Path, signer: access.Authority) -> None:
    first = shown(access.issue(tmp_path / "access", JANE, signer))
    assert shown(access.issue(tmp_path / "access", JANE, signer)) == first


def test_another_reason_takes_another_certificate(tmp_path: Path, signer: access.Authority) -> None:
    first = shown(access.issue(tmp_path / "access", JANE, signer))
    other = access.Grant(person="jane", environment="production", reason="site run")
    assert shown(access.issue(tmp_path / "access", other, signer)) != first


def test_a_certificate_about_to_end_is_renewed(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    public = str(key.with_suffix(".pub"))
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(signer.private), "-I", "x", "-n", "jane", "-V", "-5m:+14m", public],
        check=True,
    )
    assert left(key, signer) < access.RENEWED_BELOW
    access.issue(tmp_path / "access", JANE, signer)
    assert left(key, signer) > timedelta(minutes=59)


def test_a_certificate_of_another_authority_is_worth_nothing(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    other = access.authority(str(tmp_path / "other"), make_key(tmp_path / "other"))
    assert left(key, other) == timedelta()
    access.issue(tmp_path / "access", JANE, other)
    assert left(key, other) > timedelta(minutes=59)


def test_a_broken_certificate_is_replaced(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    access.certificate_of(key).write_text("ssh-ed25519-cert-v01@openssh.com AAAA", encoding="utf-8")
    assert left(key, signer) == timedelta()
    assert left(access.issue(tmp_path / "access", JANE, signer), signer) > timedelta(minutes=59)


def test_an_ended_certificate_is_worth_nothing(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    assert left(key, signer, datetime.now(tz=UTC) + timedelta(hours=2)) == timedelta()


def test_runs_at_the_same_time_share_one_certificate(tmp_path: Path, signer: access.Authority) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: access.issue(tmp_path / "access", JANE, signer), range(8)))
    assert len({shown(key) for key in keys}) == 1


def test_a_private_key_that_is_not_the_trusted_one_is_refused(tmp_path: Path, signer: access.Authority) -> None:
    mixed = access.Authority(public=make_key(tmp_path / "other"), private=signer.private)
    with pytest.raises(access.AccessError, match="access_ca_public"):
        access.issue(tmp_path / "access", JANE, mixed)


def test_a_missing_authority_is_told_by_ssh_keygen(tmp_path: Path, signer: access.Authority) -> None:
    gone = access.Authority(public=signer.public, private=tmp_path / "gone")
    with pytest.raises(access.AccessError, match="gone"):
        access.issue(tmp_path / "access", JANE, gone)


def test_an_agents_key_has_to_be_the_trusted_one(signer: access.Authority) -> None:
    own = access.fingerprint(signer.public)
    assert access.authority(f"agent:{own}", signer.public).private is None
    with pytest.raises(access.AccessError, match="agent's key SHA256:other"):
        access.authority("agent:SHA256:other", signer.public)


def test_an_agent_signs(tmp_path: Path, signer: access.Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        try:
            wait_for(socket)
            subprocess.run(["ssh-add", "-q", str(signer.private)], check=True)
            own = access.authority(f"agent:{access.fingerprint(signer.public)}", signer.public)
            assert left(access.issue(tmp_path / "access", JANE, own), signer) > timedelta(minutes=59)
        finally:
            agent.terminate()


def wait_for(socket: Path) -> None:
    for _ in range(100):
        if subprocess.run(["ssh-add", "-l"], check=False, capture_output=True).returncode == 1:
            return
    raise TimeoutError(socket)


def test_a_revoked_certificate_is_replaced(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    found = access.read(access.certificate_of(key).read_text(encoding="utf-8"))
    assert found
    revoked = [{"serial": found.serial, "reason": "x"}]
    assert access.lasting(tmp_path / "access", JANE, signer.public)
    assert access.lasting(tmp_path / "access", JANE, signer.public, revoked) is None
    before = key.read_text(encoding="utf-8")
    access.issue(tmp_path / "access", JANE, signer, revoked)
    assert access.lasting(tmp_path / "access", JANE, signer.public, revoked)
    assert key.read_text(encoding="utf-8") == before


def test_a_revoked_key_is_replaced(tmp_path: Path, signer: access.Authority) -> None:
    key = access.issue(tmp_path / "access", JANE, signer)
    public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    revoked = [{"fingerprint": access.fingerprint(public), "reason": "x"}]
    access.issue(tmp_path / "access", JANE, signer, revoked)
    assert key.with_suffix(".pub").read_text(encoding="utf-8").strip() != public
    assert access.lasting(tmp_path / "access", JANE, signer.public, revoked)


def test_a_revoked_id_is_refused(tmp_path: Path, signer: access.Authority) -> None:
    with pytest.raises(access.AccessError, match="login_reason"):
        access.issue(tmp_path / "access", JANE, signer, [{"id": JANE.identity, "reason": "x"}])


def test_a_hosts_certificate_is_no_persons(tmp_path: Path, signer: access.Authority) -> None:
    public = make_key(tmp_path / "host")
    request = access.Request(identity="server", principals=("server", "203.0.113.10"), validity="+90d", host=True)
    certificate = access.certify(public, request, signer)
    now = datetime.now(tz=UTC)
    assert access.good_for(certificate, public, request, ca_public=signer.public, now=now) > timedelta(days=89)
    person = access.Request(identity="server", principals=request.principals, validity="+90d")
    assert not access.good_for(certificate, public, person, ca_public=signer.public, now=now)
