"""The authority that signs for the controller has to be one that the hosts go on to trust."""

from __future__ import annotations

from ansible_collections.art32.server.plugins.module_utils.declaration.environment import check_environment

OWN = f"ssh-ed25519 {'A' * 68} ours"
OTHER = f"ssh-ed25519 {'B' * 68} theirs"


def problems(trusted: list[str]) -> list[str]:
    return [
        str(found) for found in check_environment({"access_ca_public": OWN, "sshd_trusted_user_ca_keys": trusted}, {})
    ]


def test_the_signing_authority_is_trusted_whatever_its_comment() -> None:
    assert problems([OTHER, OWN.replace("ours", "another comment")]) == []


def test_who_would_be_shut_out_is_told() -> None:
    (told,) = problems([OTHER])
    assert told.startswith("access_ca_public: ssh-ed25519 AAAA")
    assert told.endswith("one of sshd_trusted_user_ca_keys; with this one nobody could log in any more")


def test_where_nothing_is_declared_there_is_nothing_to_say() -> None:
    assert [str(found) for found in check_environment({"access_ca_public": OWN}, {})] == []
