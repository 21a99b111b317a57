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
    "fingerprint",
    "good_for",
    "issue",
    "lasting",
    "read",
    "read_log",
    "remaining",
]

import base64
import fcntl
import getpass
import hashlib
import json
import os
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
    ssh,
)

from .declaration.revocations import is_revoked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Revocations = Sequence[Mapping[str, object]]

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
    """What a certificate says: its key id, whom it may log in as, how long, and ssh-keygen's -O options.

    A host's certificate has the host's names and addresses as its principals, and no options.
    """

    identity: str
    principals: tuple[str, ...]
    validity: str
    options: tuple[str, ...] = ()
    host: bool = False

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

    Its key, CA, kind, principals and critical options are compared, its key id is not.
    """
    found = read(certificate)
    if found is None:
        return timedelta()
    kind = SSHCertificateType.HOST if request.host else SSHCertificateType.USER
    made_by, made_for = (ssh.serialize_ssh_public_key(part) for part in (found.signature_key(), found.public_key()))
    found_keys = [line.decode().split()[1:2] for line in (made_by, made_for)]
    same_keys = found_keys == [line.split()[1:2] for line in (ca_public, public)]
    principals = tuple(name.decode() for name in found.valid_principals)
    same_rights = principals == request.principals and found.critical_options == request.critical
    if not same_keys or not same_rights or found.type != kind:
        return timedelta()
    return max(datetime.fromtimestamp(found.valid_before, tz=UTC) - now, timedelta())


def read(certificate: str) -> SSHCertificate | None:
    """A certificate line; None when it is none."""
    try:
        found = load_ssh_public_identity(certificate.encode())
    except ValueError:
        return None
    return found if isinstance(found, SSHCertificate) else None


def lasting(directory: Path, grant: Grant, ca_public: str, revoked: Revocations = ()) -> Path | None:
    """The private key of a person whose certificate has this reason, lasts for a run and is not revoked; else None."""
    key = directory / grant.person
    left = remaining(key, person=grant.person, ca_public=ca_public, now=datetime.now(tz=UTC))
    if left < RENEWED_BELOW:
        return None
    found = read(certificate_of(key).read_text(encoding="utf-8"))
    if found is None or found.key_id.decode() != grant.identity or _is_revoked(key, found.serial, grant, revoked):
        return None
    return key


def issue(
    directory: Path, grant: Grant, signer: Authority, revoked: Revocations = (), *, log: Path | None = None
) -> Path:
    """The private key of a person with a certificate that lasts; both are made when they are missing or too old.

    A revoked key is replaced by a new one, and each issue is logged where `log` says. Runs that need the same
    certificate at the same time wait for one another.

    Raises AccessError with ssh-keygen's own message, or when the certificate's id is a revoked one.
    """
    if any(entry.get("id") == grant.identity for entry in revoked):
        raise AccessError(f"The key id {grant.identity!r} is in sshd_revocations: give another reason (login_reason)")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = directory / grant.person
    with _locked(directory / ".lock"):
        if key.exists() and _is_revoked(key, 0, grant, revoked):
            key.unlink()
        if not key.exists():
            key.with_name(f"{key.name}.pub").unlink(missing_ok=True)
            _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", grant.person, "-f", str(key)])
        if lasting(directory, grant, signer.public, revoked) is None:
            _sign(key, grant, signer, log)
    return key


def certificate_of(key: Path) -> Path:
    """Where ssh looks for the certificate of a private key."""
    return key.with_name(f"{key.name}-cert.pub")


def certify(public: str, request: Request, signer: Authority, *, log: Path | None = None) -> str:
    """The certificate line for a public key line; the issue is logged where `log` says.

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
    if log:
        _write_log(log, certificate, request, signer)
    return certificate


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every issue of an environment, the oldest first; none when there is no log yet."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _write_log(path: Path, certificate: str, request: Request, signer: Authority) -> None:
    """Add a line; several processes may do so at once."""
    found = read(certificate)
    if found is None:
        raise AccessError(f"What was signed is no certificate: {certificate}")
    person = os.environ.get("SUDO_USER", "")
    with suppress(KeyError, OSError):
        person = person or getpass.getuser()
    entry = {
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "serial": found.serial,
        "id": request.identity,
        "kind": "host" if request.host else "user",
        "principals": list(request.principals),
        "valid_until": datetime.fromtimestamp(found.valid_before, tz=UTC).isoformat(),
        "options": list(request.options),
        "key": fingerprint(ssh.serialize_ssh_public_key(found.public_key()).decode()),
        "authority": fingerprint(signer.public),
        "by": f"{person}@{socket.gethostname()}",
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{json.dumps(entry)}\n")


def sign_command(request: Request, signer: Authority, public: Path, ca_public: Path) -> list[str]:
    """ssh-keygen's arguments for a certificate, which it writes beside the public key."""
    keys = ["-s", str(signer.private)] if signer.private else ["-U", "-s", str(ca_public)]
    serial = int(datetime.now(tz=UTC).timestamp() * 1000)
    limits = ["-V", f"{BACKDATE}:{request.validity}", "-z", str(serial), "-O", "clear"]
    options = [word for option in request.options for word in ("-O", option)]
    names = ["-I", request.identity, "-n", ",".join(request.principals), *(["-h"] if request.host else [])]
    return ["ssh-keygen", "-q", *keys, *names, *limits, *options, str(public)]


def _is_revoked(key: Path, serial: int, grant: Grant, revoked: Revocations) -> bool:
    public = key.with_name(f"{key.name}.pub")
    if not public.exists():
        return False
    line = public.read_text(encoding="utf-8")
    return is_revoked(revoked, serial=serial, identity=grant.identity, public=line)


def _sign(key: Path, grant: Grant, signer: Authority, log: Path | None) -> None:
    public = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8").strip()
    request = Request(identity=grant.identity, principals=(grant.person,), validity=VALIDITY, options=("permit-pty",))
    partial = key.with_name(f"{key.name}-cert.partial")
    partial.write_text(f"{certify(public, request, signer, log=log)}\n", encoding="utf-8")
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
