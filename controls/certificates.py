"""The certificate that the audit logs in with: the person's own, made anew when it is about to end."""

from __future__ import annotations

__all__ = ["issue", "own_key", "person", "plain", "vault_settings"]

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.module_utils import access

from .evidence import NotAssessedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import Environment

VAULTED, INVENTORY = b"$ANSIBLE_VAULT", "ANSIBLE_INVENTORY"


def person(environment: Environment) -> str:
    """Who runs the audit; empty when the environment does not say."""
    return str(os.environ.get("ART32_PERSON") or environment.get("access_person", ""))


def own_key(environment: Environment) -> Path:
    """The private key that the audit logs in with as this person: the one that is declared for them, or the own one."""
    declared = environment.get("ansible_ssh_private_key_file", "")
    if declared and environment.get("ansible_user") == person(environment):
        return Path(declared)
    return environment.directory / ".access" / person(environment)


def issue(environment: Environment, directory: Path, reason: str) -> Path:
    """The person's private key in a directory, with a certificate beside it that lasts.

    Raises NotAssessedError when the environment's authority cannot sign here.
    """
    name, private = person(environment), str(environment.get("access_ca", ""))
    if not name or not private:
        raise NotAssessedError("the environment declares no certificate authority (access_ca, access_person)")
    key, ca_public = directory / name, str(environment.get("access_ca_public", ""))
    left = access.remaining(key, person=name, ca_public=ca_public, now=datetime.now(tz=UTC))
    if left >= access.RENEWED_BELOW:  # the authority's key is not even decrypted
        return key
    grant = access.Grant(person=name, environment=environment.name, reason=reason)
    with tempfile.TemporaryDirectory(prefix="art32-") as scratch:
        try:
            signer = access.authority(plain(environment, private, Path(scratch)), ca_public)
            log = environment.directory / ".ssh" / "issued.jsonl"
            return access.issue(directory, grant, signer, log=log)
        except (access.AccessError, OSError) as error:
            raise NotAssessedError(f"no certificate can be made for {name}: {error}") from error


def plain(environment: Environment, declared: str, scratch: Path) -> str:
    """A private key as ssh-keygen can read it: a vaulted file is decrypted beside nothing else."""
    path = Path(declared).expanduser()
    if declared.startswith(access.AGENT) or not path.read_bytes().startswith(VAULTED):
        return declared
    plain = scratch / "authority"
    plain.touch(mode=0o600)
    plain.write_bytes(_decrypted(environment, path))
    return str(plain)


def _decrypted(environment: Environment, path: Path) -> bytes:
    """What `ansible-vault decrypt` makes of a file, without the third of a second until that has started.

    Raises NotAssessedError when the environment's password does not open it.
    """
    from ansible.errors import AnsibleError  # noqa: PLC0415 - a third of a second, and many keys are plain

    try:
        decrypted: bytes = _vault(environment.directory).decrypt(path.read_bytes())
    except AnsibleError as error:
        raise NotAssessedError(f"{path} cannot be decrypted: {error}") from error
    return decrypted


@cache
def _vault(directory: Path) -> Any:  # noqa: ANN401 - Ansible's class, imported late
    """The vault of an environment, open.

    Raises AnsibleError when its password cannot be had.
    """
    from ansible.cli import CLI  # noqa: PLC0415 - as above
    from ansible.constants import config  # noqa: PLC0415 - as above
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 - as above
    from ansible.parsing.vault import VaultLib  # noqa: PLC0415 - as above

    identities = list(config.get_config_value("DEFAULT_VAULT_IDENTITY_LIST"))
    with _named(directory):
        secrets = CLI.setup_vault_secrets(DataLoader(), identities, auto_prompt=False, initialize_context=False)
    return VaultLib(secrets)


@contextmanager
def _named(directory: Path) -> Iterator[None]:
    """Let the script that knows each environment's password see which one is asked for."""
    before = os.environ.get(INVENTORY)
    os.environ[INVENTORY] = str(directory)
    try:
        yield
    finally:
        if before is None:
            del os.environ[INVENTORY]
        else:
            os.environ[INVENTORY] = before


def vault_settings(environment: Environment) -> dict[str, str]:
    """The variables under which ansible-vault finds this environment's password."""
    return {**os.environ, INVENTORY: str(environment.directory)}
