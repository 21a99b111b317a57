# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates for people: made by ssh-keygen on the controller, used while they last."""

from __future__ import annotations

__all__ = ["AccessError", "Authority", "Grant", "authority", "issue", "remaining"]

import base64
import fcntl
import hashlib
import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity, ssh

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT = "agent:"
BACKDATE = "-5m"
VALIDITY = "+1h"
RENEWED_BELOW = timedelta(minutes=15)


class AccessError(Exception):
    """A certificate cannot be made; the message says why and which variable decides."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The certificate authority: its public key line, and its private key's file unless an agent has it."""

    public: str
    private: Path | None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """For whom a certificate is, where, and why: the last two stand in its id and in the server's log."""

    person: str
    environment: str
    reason: str

    @property
    def identity(self) -> str:
        """The certificate's key id."""
        return f"{self.person}@{self.environment} {self.reason}"


def authority(private: str, public: str) -> Authority:
    """The authority that `access_ca` and `access_ca_public` declare.

    Raises AccessError when an agent's key is named that is not the public one.
    """
    if not private.startswith(AGENT):
        return Authority(public=public, private=Path(private).expanduser())
    declared, own = private.removeprefix(AGENT), fingerprint(public)
    if declared != own:
        raise AccessError(f"access_ca names the agent's key {declared}; access_ca_public is {own}")
    return Authority(public=public, private=None)


def fingerprint(public: str) -> str:
    """The SHA256 fingerprint of a public key line, as OpenSSH writes it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def remaining(key: Path, *, person: str, ca_public: str, now: datetime) -> timedelta:
    """How long the certificate beside a private key is still good; zero when there is none for this person and CA."""
    public, certificate = key.with_name(f"{key.name}.pub"), certificate_of(key)
    try:
        found = load_ssh_public_identity(certificate.read_bytes())
        own = public.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return timedelta()
    if not isinstance(found, SSHCertificate) or found.valid_principals != [person.encode()]:
        return timedelta()
    made_by, made_for = (ssh.serialize_ssh_public_key(part) for part in (found.signature_key(), found.public_key()))
    if made_by.split()[1].decode() != ca_public.split()[1] or made_for.split()[1].decode() != own.split()[1]:
        return timedelta()
    return max(datetime.fromtimestamp(found.valid_before, tz=UTC) - now, timedelta())


def issue(directory: Path, grant: Grant, signer: Authority) -> Path:
    """The private key of a person with a certificate that lasts; both are made when they are missing or too old.

    Runs that need the same certificate at the same time wait for one another.

    Raises AccessError with ssh-keygen's own message.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = directory / grant.person
    with _locked(directory / ".lock"):
        if not key.exists():
            _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", grant.person, "-f", str(key)])
        left = remaining(key, person=grant.person, ca_public=signer.public, now=datetime.now(tz=UTC))
        if left < RENEWED_BELOW:
            _sign(key, grant, signer)
    return key


def certificate_of(key: Path) -> Path:
    """Where ssh looks for the certificate of a private key."""
    return key.with_name(f"{key.name}-cert.pub")


def sign_command(grant: Grant, signer: Authority, public: Path, ca_public: Path, serial: int) -> list[str]:
    """ssh-keygen's arguments for a certificate, which it writes beside the public key."""
    keys = ["-s", str(signer.private)] if signer.private else ["-U", "-s", str(ca_public)]
    limits = ["-V", f"{BACKDATE}:{VALIDITY}", "-z", str(serial), "-O", "clear", "-O", "permit-pty"]
    return ["ssh-keygen", "-q", *keys, "-I", grant.identity, "-n", grant.person, *limits, str(public)]


def _sign(key: Path, grant: Grant, signer: Authority) -> None:
    with tempfile.TemporaryDirectory(dir=key.parent) as scratch:
        ca_public, public = Path(scratch) / "ca.pub", Path(scratch) / "key.pub"
        ca_public.write_text(f"{signer.public}\n", encoding="utf-8")
        public.write_bytes(key.with_name(f"{key.name}.pub").read_bytes())
        serial = int(datetime.now(tz=UTC).timestamp() * 1000)
        _run(sign_command(grant, signer, public, ca_public, serial))
        certificate_of(public.with_suffix("")).replace(certificate_of(key))
    if not remaining(key, person=grant.person, ca_public=signer.public, now=datetime.now(tz=UTC)):
        raise AccessError("The key of access_ca is not the one of access_ca_public; the hosts would not trust it")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AccessError(f"{command[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
