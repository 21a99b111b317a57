"""Secrets are replaced, and the former ones refused. Every operation is the operator's own command."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from conftest import newest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Play

    from controls.environment import Environment


def opened(declaration: Environment) -> dict[str, Any]:
    """The vault's secrets."""
    files = import_module("ansible_collections.art32.server.plugins.plugin_utils.environment_files")
    return dict(files.EnvironmentFiles(declaration.directory).vault())


def test_a_rotation_that_stopped_half_way_is_taken_up_and_the_former_password_refused(
    play: Play, declaration: Environment, records: Path
) -> None:
    former = opened(declaration)["vault_database_passwords"]["joe"]
    code, said = play("rotate", by="nobody", secret="vault_database_passwords.joe")  # noqa: S106 - a name
    assert code == 2, said
    between = opened(declaration)
    assert between["vault_former"] == {"vault_database_passwords.joe": former}
    assert between["vault_database_passwords"]["joe"] != former
    assert not list(records.rglob("*-rotate-*.json"))
    code, said = play("rotate", secret="vault_database_passwords.joe")  # noqa: S106 - a name
    assert code == 0, said
    record = newest(records, "*-rotate-*.json")
    assert [(trial["found"], trial["wanted"]) for trial in record["trials"]] == [("out", "out"), ("in", "in")]
    assert "password authentication failed" in record["trials"][0]["said"]
    after = opened(declaration)
    assert "vault_former" not in after
    assert after["vault_database_passwords"] == between["vault_database_passwords"]
    assert former not in said


def test_the_vault_s_password_is_replaced(play: Play, declaration: Environment) -> None:
    file = declaration.directory / ".vault-password"
    former = file.read_text(encoding="utf-8")
    code, said = play("rotate", secret="vault_password")  # noqa: S106 - a name
    assert code == 0, said
    assert file.read_text(encoding="utf-8") != former
    vault = VaultLib([("default", VaultSecret(former.strip().encode()))])
    for name in ("group_vars/all/vault.yml", ".ssh/user_ca"):
        with pytest.raises(AnsibleError, match="Decryption failed"):
            vault.decrypt((declaration.directory / name).read_bytes())
    code, said = play("check")
    assert code == 0, said


def test_an_unknown_secret_is_refused_with_the_known_ones(play: Play) -> None:
    code, said = play("rotate", secret="vault_backup_cipher_pass")  # noqa: S106 - a name
    assert code == 2
    told = " ".join(said.split())
    assert "secret: vault_backup_cipher_pass is not allowed; vault_password or " in told
    assert " or vault_database_passwords.jane or " in told
