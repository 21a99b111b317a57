"""The seal of a bundle: what is in it, what it was made with, which audit came before, all of it signed."""

from __future__ import annotations

__all__ = ["MANIFEST", "SIGNATURE", "SealError", "seal", "signer"]

import json
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.module_utils import access

from . import certificates, tools
from .environment import PROJECT
from .evidence import NotAssessedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Environment

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
FORMAT, NAMESPACE = "art32.bundle/1", "art32-audit"
BUNDLES = "[0-9]*T[0-9]*Z*"
PUBLIC = ".pub"
VERIFY = PROJECT / "scripts" / "verify-bundle"


class SealError(Exception):
    """A bundle cannot be sealed; the message says why and which variable decides."""


def seal(directory: Path, environment: Environment, report: Mapping[str, Any]) -> None:
    """Write the manifest of a finished bundle and sign it; nothing may be written into it afterwards.

    Raises SealError when the environment's key cannot sign.
    """
    manifest = {
        "format": FORMAT,
        "environment": report["environment"],
        "time": report["time"],
        "version": report["version"],
        "tools": tools.controller(),
        "previous": previous(directory),
        "files": digests(directory),
    }
    path = directory / MANIFEST
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    _sign(path, environment)


def signer(environment: Environment) -> str:
    """The fingerprint of the key that signs an environment's audits; the key is made when there is none yet.

    Raises SealError when it cannot be made or read.
    """
    return access.fingerprint(_public(environment))


def digests(directory: Path) -> dict[str, str]:
    """The digest of every file of a bundle, by its path in it."""
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    return {
        name: sha256((directory / name).read_bytes()).hexdigest() for name in names if name not in (MANIFEST, SIGNATURE)
    }


def previous(directory: Path) -> dict[str, str] | None:
    """The newest sealed audit beside this one, and the digest of its manifest; None for the first."""
    sealed = [path.parent for path in directory.parent.glob(f"{BUNDLES}/{MANIFEST}")]
    before = [path for path in sealed if path.name < directory.name and not path.is_symlink()]
    if not before:
        return None
    last = max(before, key=lambda path: path.name)
    return {"name": last.name, "sha256": sha256((last / MANIFEST).read_bytes()).hexdigest()}


def _declared(environment: Environment) -> str:
    return str(environment.get("audit_signing_key") or environment.directory / ".ssh" / "audit")


def _public(environment: Environment) -> str:
    """The public key line of who signs; a key that is missing is made, and kept for whoever audits from here."""
    declared = _declared(environment)
    path = Path(declared).expanduser()
    public = path if path.suffix == PUBLIC else path.with_name(f"{path.name}{PUBLIC}")
    if not path.exists() and path.suffix != PUBLIC:
        _make(path, environment)
    if not public.exists():
        raise SealError(f"audit_signing_key is {declared}, but {public} is missing; allowed is the file of a key pair")
    return public.read_text(encoding="utf-8").strip()


def _make(path: Path, environment: Environment) -> None:
    """A new key pair, the private half encrypted by ansible-vault like every secret of the environment.

    A watch has no vault: its key is its account's alone.
    """
    with tempfile.TemporaryDirectory(prefix="art32-") as scratch:
        key = Path(scratch, path.name)
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"art32 {environment.name} audit", "-f", str(key)])
        if not environment.get("audit_observer"):
            _run(["ansible-vault", "encrypt", str(key)], certificates.vault_settings(environment))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(key.with_name(f"{key.name}{PUBLIC}"), path.with_name(f"{path.name}{PUBLIC}"))
        shutil.move(key, path)


def _sign(path: Path, environment: Environment) -> None:
    """Sign a file with the environment's key: a file, one encrypted by ansible-vault, or (`.pub`) an agent's."""
    fingerprint, declared = signer(environment), _declared(environment)
    with tempfile.TemporaryDirectory(prefix="art32-") as scratch:
        try:
            key = declared if declared.endswith(PUBLIC) else certificates.plain(environment, declared, Path(scratch))
        except (NotAssessedError, OSError) as error:
            raise SealError(f"audit_signing_key ({declared}) cannot be read: {error}") from error
        path.with_name(SIGNATURE).unlink(missing_ok=True)
        _run(["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE, str(path)])
    _run([sys.executable, str(VERIFY), str(path.parent), fingerprint])


def _run(words: list[str], environment: Mapping[str, str] | None = None) -> None:
    told = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment)
    if told.returncode != 0:
        raise SealError(f"{' '.join(words[:3])} ended with {told.returncode}: {told.stderr.strip()}")
