"""Variables against argument specs and limits."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration.specs import Spec, check_unknown, check_values

OPTIONS: dict[str, dict[str, Any]] = {
    "backup_retention_days": {"type": "int"},
    "backup_enabled": {"type": "bool"},
    "backup_mode": {"type": "str", "choices": ["full", "diff"]},
    "backup_cipher_pass": {"type": "str", "required": True},
    "backup_paths": {"type": "list", "elements": "path"},
    "backup_targets": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}},
    "backup_contact": {"type": "str"},
    "sshd_trusted_user_ca_keys": {"type": "list", "elements": "str"},
}
LIMITS: dict[str, dict[str, Any]] = {
    "backup_retention_days": {"minimum": 1, "maximum": 3650},
    "backup_contact": {"format": "email"},
    "sshd_trusted_user_ca_keys": {"not_empty": True, "elements": {"format": "ssh_public_key"}},
}
BACKUP = Spec(prefix="backup_", options=OPTIONS, limits=LIMITS)
A_KEY = "a public key line like ssh-ed25519 AAAA..."


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("backup_retention_days", -1, "-1 is not allowed; a whole number from 1 to 3650"),
        ("backup_retention_days", "many", "many is not allowed; a whole number from 1 to 3650"),
        ("backup_retention_days", True, "true is not allowed; a whole number from 1 to 3650"),
        ("backup_enabled", "perhaps", "perhaps is not allowed; true or false"),
        ("backup_mode", "half", "half is not allowed; full or diff"),
        ("backup_paths", "/etc", "/etc is not allowed; a list"),
        ("backup_cipher_pass", ["planted"], "the value (hidden) is not allowed; a text"),
        ("backup_contact", "nobody", "nobody is not allowed; an e-mail address"),
        ("sshd_trusted_user_ca_keys", [], f"[] is not allowed; a list, not empty, each {A_KEY}"),
    ],
)
def test_refuses_impossible_values(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    found = check_values({name: value}, BACKUP, complete=False)
    assert [str(problem) for problem in found] == [f"{name}: {message}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backup_retention_days", "14"),
        ("backup_enabled", "no"),
        ("backup_contact", ""),
        ("backup_paths", ["/etc"]),
        ("backup_mode", None),
    ],
)
def test_accepts_what_extra_variables_can_say(name: str, value: Any) -> None:  # noqa: ANN401
    assert check_values({name: value}, BACKUP, complete=False) == []


def test_elements_are_told_by_their_place() -> None:
    values = {"sshd_trusted_user_ca_keys": ["no key"], "backup_targets": [{"name": "a"}, {"nam": "b"}]}
    assert [str(problem) for problem in check_values(values, BACKUP, complete=False)] == [
        "backup_targets[1].nam: unknown; did you mean name?",
        "backup_targets[1].name: missing; a text",
        f"sshd_trusted_user_ca_keys[0]: no key is not allowed; {A_KEY}",
    ]


def test_a_missing_variable_is_a_problem_of_complete_values_only() -> None:
    assert check_values({}, BACKUP, complete=False) == []
    assert [str(problem) for problem in check_values({}, BACKUP, complete=True)] == [
        "backup_cipher_pass: missing; a text",
    ]


def test_a_typo_is_told_with_the_nearest_name() -> None:
    sshd = Spec(prefix="sshd_", options={"sshd_trusted_user_ca_keys": {}})
    names = [
        "sshd_trusted_user_ca_key",
        "backup_retention",
        "backup_zzzzzzzzzzzz",
        "other_name",
        "ansible_host",
    ]
    known = ", ".join(sorted(name for name in OPTIONS if name.startswith("backup_")))
    assert [str(problem) for problem in check_unknown(names, [sshd, BACKUP])] == [
        "backup_retention: unknown; did you mean backup_retention_days?",
        f"backup_zzzzzzzzzzzz: unknown; known are {known}",
        "sshd_trusted_user_ca_key: unknown; did you mean sshd_trusted_user_ca_keys?",
    ]
