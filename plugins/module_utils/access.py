# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates for people and machines: made by ssh-keygen on the controller, used while they last."""

from __future__ import annotations

__all__ = [
    "AccessError",
    "Authority",
    "Grant",
    "Request",
    "authority",
    "certify",
    "good_for",
    "issue",
    "lasting",
    "remaining",
]

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


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a certificate says: its key id, whom it may log in as, how long, and ssh-keygen's -O options."""

    identity: str
    principals: tuple[str, ...]
    validity: str
    options: tuple[str, ...] = ()

    @property
    def critical(self) -> dict[bytes, bytes]:
        """The options that a server has to respect, as they stand in the certificate."""
        pairs = (option.partition("=") for option in self.options if "=" in option)
        return {name.encode(): value.encode() for name, _, value in pairs}


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
    try:
        certificate = certificate_of(key).read_text(encoding="utf-8")
        own = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return timedelta()
    request = Request(identity="", principals=(person,), validity="")
    return good_for(certificate, own, request, ca_public=ca_public, now=now)


def good_for(certificate: str, public: str, request: Request, *, ca_public: str, now: datetime) -> timedelta:
    """How long a certificate line still is what was requested; zero when it says something else or is none.

    Its key, CA, principals and critical options are compared, its key id is not.
    """
    try:
        found = load_ssh_public_identity(certificate.encode())
    except ValueError:
        return timedelta()
    if not isinstance(found, SSHCertificate):
        return timedelta()
    made_by, made_for = (ssh.serialize_ssh_public_key(part) for part in (found.signature_key(), found.public_key()))
    found_keys = [line.decode().split()[1:2] for line in (made_by, made_for)]
    same_keys = found_keys == [line.split()[1:2] for line in (ca_public, public)]
    principals = tuple(name.decode() for name in found.valid_principals)
    if not same_keys or principals != request.principals or found.critical_options != request.critical:
        return timedelta()
    return max(datetime.fromtimestamp(found.valid_before, tz=UTC) - now, timedelta())


def lasting(directory: Path, grant: Grant, ca_public: str) -> Path | None:
    """The private key of a person whose certificate has this reason and lasts for a run; None when there is none."""
    key = directory / grant.person
    left = remaining(key, person=grant.person, ca_public=ca_public, now=datetime.now(tz=UTC))
    return key if left >= RENEWED_BELOW and _identity_of(certificate_of(key)) == grant.identity else None


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
        if lasting(directory, grant, signer.public) is None:
            _sign(key, grant, signer)
    return key


def certificate_of(key: Path) -> Path:
    """Where ssh looks for the certificate of a private key."""
    return key.with_name(f"{key.name}-cert.pub")


def certify(public: str, request: Request, signer: Authority) -> str:
    """The certificate line for a public key line.

    Raises AccessError with ssh-keygen's own message, or when the authority's two keys do not belong together.
    """
    with tempfile.TemporaryDirectory(prefix="art32-access-") as scratch:
        ca_public, key = Path(scratch) / "ca.pub", Path(scratch) / "key"
        ca_public.write_text(f"{signer.public}\n", encoding="utf-8")
        key.with_suffix(".pub").write_text(f"{public}\n", encoding="utf-8")
        _run(sign_command(request, signer, key.with_suffix(".pub"), ca_public))
        certificate = certificate_of(key).read_text(encoding="utf-8").strip()
    if not good_for(certificate, public, request, ca_public=signer.public, now=datetime.now(tz=UTC)):
        raise AccessError("The key of access_ca is not the one of access_ca_public; the hosts would not trust it")
    return certificate


def sign_command(request: Request, signer: Authority, public: Path, ca_public: Path) -> list[str]:
    """ssh-keygen's arguments for a certificate, which it writes beside the public key."""
    keys = ["-s", str(signer.private)] if signer.private else ["-U", "-s", str(ca_public)]
    serial = int(datetime.now(tz=UTC).timestamp() * 1000)
    limits = ["-V", f"{BACKDATE}:{request.validity}", "-z", str(serial), "-O", "clear"]
    options = [word for option in request.options for word in ("-O", option)]
    names = ["-I", request.identity, "-n", ",".join(request.principals)]
    return ["ssh-keygen", "-q", *keys, *names, *limits, *options, str(public)]


def _identity_of(certificate: Path) -> str:
    found = load_ssh_public_identity(certificate.read_bytes())
    return found.key_id.decode() if isinstance(found, SSHCertificate) else ""


def _sign(key: Path, grant: Grant, signer: Authority) -> None:
    public = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8").strip()
    request = Request(identity=grant.identity, principals=(grant.person,), validity=VALIDITY, options=("permit-pty",))
    partial = key.with_name(f"{key.name}-cert.partial")
    partial.write_text(f"{certify(public, request, signer)}\n", encoding="utf-8")
    partial.replace(certificate_of(key))


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
