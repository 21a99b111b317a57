"""How a vaulted key is opened: as the environment's own password script says, whatever stands around it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from controls import certificates
from controls.environment import Environment
from controls.evidence import NotAssessedError

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"not even a key\n"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment with a password of its own, and the path of another in the process's variables."""
    monkeypatch.delenv("ART32_VAULT_PASSWORD_FILE", raising=False)
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(tmp_path / "other"))
    directory = tmp_path / "production"
    directory.mkdir()
    (directory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    (directory / ".vault-password").write_text("of production\n", encoding="utf-8")
    return Environment(directory=directory, groups={"all": []}, hostvars={})


def encrypted(environment: Environment, password: str) -> str:
    """The path of a key that this password opens."""
    path = environment.directory / "key"
    path.write_bytes(VaultLib([("default", VaultSecret(password.encode()))]).encrypt(KEY))
    return str(path)


def test_a_vaulted_key_is_opened_beside_nothing_else(environment: Environment, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    plain = scratch / "authority"
    assert certificates.plain(environment, encrypted(environment, "of production"), scratch) == str(plain)
    assert plain.read_bytes() == KEY
    assert plain.stat().st_mode & 0o777 == 0o600
    assert os.environ["ANSIBLE_INVENTORY"] == str(tmp_path / "other")


def test_a_key_that_the_password_does_not_open_is_named(environment: Environment, tmp_path: Path) -> None:
    key = encrypted(environment, "of another")
    with pytest.raises(NotAssessedError, match=f"{key} cannot be decrypted"):
        certificates.plain(environment, key, tmp_path)


def test_a_plain_key_stays_where_it_is(environment: Environment, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    assert certificates.plain(environment, str(key), tmp_path) == str(key)
