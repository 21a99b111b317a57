# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of an environment that commands change: its people and its vault."""

from __future__ import annotations

__all__ = ["EnvironmentFiles", "below", "fresh_secret", "with_value", "without"]

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted
from ansible_collections.art32.server.plugins.module_utils.declaration.documents import render, rewrite

if TYPE_CHECKING:
    from collections.abc import Sequence

PEOPLE = "group_vars/all/people.yml"
KEYS = (".ssh/user_ca", ".ssh/audit")  # encrypted like the vault: who signs certificates, and who signs audits
VAULT = "group_vars/all/vault.yml"
PASSWORD = ".vault-password"  # noqa: S105 - a file's name
SECRET_BYTES = 48
HEAD = "---\n# Generated; ansible-vault edit changes them.\n"


class EnvironmentFiles:
    """An environment's directory. Whatever is written replaces a file as a whole."""

    def __init__(self, directory: Path) -> None:
        """Nothing is read yet."""
        self.directory = directory

    @property
    def password_file(self) -> Path:
        """Where the vault's password is."""
        return Path(os.environ.get("ART32_VAULT_PASSWORD_FILE") or self.directory / PASSWORD)

    def lib(self, password: str | None = None) -> VaultLib:
        """The vault, opened by its password or by another one."""
        text = password or self.password_file.read_text(encoding="utf-8").strip()
        return VaultLib([("default", VaultSecret(text.encode()))])

    def people(self) -> list[dict[str, Any]]:
        """The declared people as they are written."""
        return list(yaml.safe_load((self.directory / PEOPLE).read_text(encoding="utf-8"))["people"])

    def write_people(self, people: Sequence[dict[str, Any]]) -> None:
        """Declare these people; the file's comments stay."""
        path = self.directory / PEOPLE
        self.write(PEOPLE, rewrite(path.read_text(encoding="utf-8"), ["people"], list(people)), 0o644)

    @property
    def next_password_file(self) -> Path:
        """The vault's next password, while everything is encrypted anew."""
        return self.password_file.with_name(f"{self.password_file.name}.next")

    def decrypt(self, name: str) -> bytes:
        """What a file says, encrypted by the password or already by the next one, or not at all."""
        content = (self.directory / name).read_bytes()
        if not is_encrypted(content):
            return content
        try:
            return bytes(self.lib().decrypt(content))
        except AnsibleError:
            if not self.next_password_file.is_file():
                raise
        return bytes(self.lib(self.next_password_file.read_text(encoding="utf-8").strip()).decrypt(content))

    def vault(self) -> dict[str, Any]:
        """Every secret."""
        return yaml.safe_load(self.decrypt(VAULT)) or {}

    def change_password(self) -> None:
        """Encrypt everything by a new password. Stopped anywhere, it goes on when called again."""
        pending = self.next_password_file
        if not pending.is_file():
            self.write(pending.name, f"{fresh_secret()}\n", 0o600, pending.parent)
        password = pending.read_text(encoding="utf-8").strip()
        self.write_vault(self.vault(), password)
        for key in KEYS:
            if (self.directory / key).is_file():
                self.write(key, self.lib(password).encrypt(self.decrypt(key)).decode(), 0o600)
        pending.replace(self.password_file)

    def write_vault(self, values: dict[str, Any], password: str | None = None) -> None:
        """Keep these secrets and no others."""
        self.write(VAULT, self.lib(password).encrypt(HEAD + render(values)).decode(), 0o600)

    def write(self, name: str, content: str, mode: int, directory: Path | None = None) -> None:
        """Replace a file as a whole."""
        target = (directory or self.directory) / name
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(partial).chmod(mode)
        Path(partial).replace(target)


def fresh_secret() -> str:
    """A secret that nobody has had."""
    return secrets.token_urlsafe(SECRET_BYTES)


def below(tree: dict[str, Any], path: str) -> Any:  # noqa: ANN401 - any value of a vault
    """What is at a path, dots between its keys; None when there is nothing."""
    found: Any = tree
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def with_value(tree: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    """The tree with another value at a path."""
    key, _, rest = path.partition(".")
    return {**tree, key: with_value(tree.get(key) or {}, rest, value) if rest else value}


def without(tree: dict[str, Any], path: str) -> dict[str, Any]:
    """The tree without what is at a path."""
    key, _, rest = path.partition(".")
    if not rest:
        return {name: value for name, value in tree.items() if name != key}
    return {**tree, key: without(tree.get(key) or {}, rest)}
