# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What surrounds an environment: the other environments beside it, and where its names lead."""

from __future__ import annotations

__all__ = ["Neighbour", "authority_of", "names_of", "neighbours", "resolve"]

import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted
from ansible_collections.art32.server.plugins.module_utils.declaration.site import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

VAULT = "group_vars/all/vault.yml"
SHORTEST_SECRET = 6
# Seconds for all names together: an answer that takes longer decides nothing.
PATIENCE = 2.0


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Another environment's secrets, by their paths, and its authority's public key."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    authority: Mapping[str, str] = field(default_factory=dict)


def neighbours(environment: Path) -> dict[str, Neighbour]:
    """The environments in the same directory, by name; without secrets where the vault cannot be opened."""
    own = environment.resolve()
    if not (own.parent.is_dir() and (own / VAULT).is_file()):
        return {}
    return {
        path.name: Neighbour(secrets=_secrets(path), authority=_authority(path))
        for path in sorted(own.parent.iterdir())
        if path.resolve() != own and (path / "hosts.yml").is_file()
    }


def authority_of(line: str) -> str:
    """What is compared of a public key line: its type and its key, not its comment."""
    return " ".join(line.split()[:2])


def names_of(services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every name that a certificate is needed for."""
    return [str(name) for entry in services for name in (entry["domain"], *entry.get("aliases", []))]


def resolve(names: Iterable[str], patience: float = PATIENCE) -> dict[str, list[str]]:
    """Each name's addresses as the controller's resolver knows them; a name without an answer in time is left out."""
    found: dict[str, list[str]] = {}

    def ask(name: str) -> None:
        try:
            answers = socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)
        except OSError:
            return
        found[name] = [str(answer[4][0]) for answer in answers]

    asking = [threading.Thread(target=ask, args=(name,), daemon=True) for name in dict.fromkeys(names)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(patience / len(asking))
    return dict(found)


def _secrets(path: Path) -> dict[str, str]:
    file, password = path / VAULT, path / ".vault-password"
    try:
        content = file.read_bytes()
        if is_encrypted(content):
            secret = VaultSecret(password.read_text(encoding="utf-8").strip().encode())
            content = VaultLib([("default", secret)]).decrypt(content)
        document = yaml.safe_load(content) or {}
    except (OSError, AnsibleError, yaml.YAMLError):
        return {}
    texts = {path: text for name, value in document.items() for path, text in texts_of(str(name), value).items()}
    return {name: text for name, text in texts.items() if len(text) >= SHORTEST_SECRET}


def _authority(path: Path) -> dict[str, str]:
    file = path / ".ssh" / "user_ca.pub"
    return {"access_ca_public": authority_of(file.read_text(encoding="utf-8"))} if file.is_file() else {}
