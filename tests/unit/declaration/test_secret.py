"""Which secrets can be replaced: all but those that something was encrypted with."""

from __future__ import annotations

import pytest
from ansible_collections.art32.server.plugins.action import secret


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("vault_backup_cipher_pass", True),
        ("vault_platform_data_key", True),
        ("vault_platform_secret_key", False),
        ("vault_database_passwords.jane", False),
    ],
)
def test_what_encrypts_stored_data_is_not_replaced(name: str, kept: bool) -> None:
    assert bool(secret.KEPT.fullmatch(name)) == kept
