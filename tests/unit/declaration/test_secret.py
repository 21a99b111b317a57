"""Which secrets can be replaced: all but those that something was encrypted with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.action import secret
from ansible_collections.art32.server.plugins.module_utils.declaration.answers import secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("vault_backup_cipher_pass", True),
        ("vault_platform_data_key", True),
        ("vault_certbot_dns_key_secret", True),
        ("vault_platform_secret_key", False),
        ("vault_database_passwords.jane", False),
    ],
)
def test_what_encrypts_stored_data_is_not_replaced(name: str, kept: bool) -> None:
    assert bool(secret.kept_because(name)) == kept


def test_an_environment_has_the_secrets_that_are_used_and_no_others() -> None:
    people: list[Mapping[str, Any]] = [{"name": "jane", "database": "admin"}, {"name": "joe"}]
    services: list[Mapping[str, Any]] = [
        {"name": "ledger"},
        {"name": "shop", "secrets": {"KEY": "{{ vault_shop_key }}", "RELAY": "smtp://shop:{{ vault_relay }}@relay"}},
    ]
    assert secrets_of(people, services) == [
        *("vault_backup_cipher_pass", "vault_shop_key", "vault_relay"),
        "vault_database_passwords.jane",
    ]
