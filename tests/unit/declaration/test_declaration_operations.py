"""What commands change in an environment's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.art32.server.plugins.action.person import joined, left, left_before, with_secrets
from ansible_collections.art32.server.plugins.plugin_utils.environment_files import (
    EnvironmentFiles,
    below,
    with_value,
    without,
)

JANE = {"name": "jane", "email": "jane@provider.example", "ssh": "admin"}
JOE = {"name": "joe", "email": "joe@provider.example", "database": "readonly"}


def test_somebody_new_is_added_and_somebody_known_changed() -> None:
    assert joined([JANE], "joe", {"email": JOE["email"], "database": "readonly"}) == [JANE, JOE]
    assert joined([JANE, JOE], "joe", {"ssh": "user"}) == [JANE, JOE | {"ssh": "user"}]
    assert joined([JANE, JOE], "joe", {}) == [JANE, JOE]


def test_somebody_is_taken_out_and_may_be_out_already() -> None:
    assert left([JANE, JOE], "joe", "jane") == [JANE]
    assert left([JANE], "zacharias", "jane") == [JANE]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jane", "person: jane is not allowed; somebody else; who runs the playbook"),
        ("jo", r"person: jo is not allowed; the name of a person \(did you mean joe\?\)"),
    ],
)
def test_the_operator_and_misspelt_names_stay(name: str, message: str) -> None:
    with pytest.raises(AnsibleActionFail, match=message):
        left([JANE, JOE], name, "jane")


def test_a_password_is_made_once_and_forgotten_last() -> None:
    vault = with_secrets({}, "joe", JOE, "present")
    assert len(below(vault, "vault_database_passwords.joe")) >= 40
    assert with_secrets(vault, "joe", JOE, "present") == vault
    assert below(with_secrets(vault, "joe", JOE, "absent"), "vault_database_passwords.joe")
    assert with_secrets(vault, "joe", JOE, "forgotten") == {"vault_database_passwords": {}}
    assert with_secrets({}, "jane", JANE, "present") == {}


def test_whoever_leaves_is_remembered_until_it_is_proved() -> None:
    vault = {"vault_former": {"vault_other": "z"}}
    leaving = with_secrets(vault, "joe", JOE, "absent")
    assert leaving == {"vault_former": {"vault_other": "z", "people.joe": JOE["email"]}}
    [entry] = left_before(leaving, "joe")
    assert entry == {"name": "joe", "email": JOE["email"]}
    assert with_secrets(leaving, "joe", entry, "absent") == leaving
    assert with_secrets(leaving, "joe", entry, "forgotten") == vault
    assert left_before(vault, "joe") == []
    assert with_secrets({"vault_former": {"people.jane": "x"}}, "jane", JANE, "present") == {}
    assert with_secrets({}, "nobody", {}, "absent") == {}


def test_values_below_paths() -> None:
    tree: dict[str, Any] = with_value({"a": {"b": "1"}}, "a.c", "2")
    assert tree == {"a": {"b": "1", "c": "2"}}
    assert below(tree, "a.c") == "2"
    assert below(tree, "a.d.e") is None
    assert without(tree, "a.b") == {"a": {"c": "2"}}


def test_files_are_replaced_and_comments_stay(tmp_path: Path) -> None:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    people = tmp_path / "group_vars/all/people.yml"
    people.write_text(f"---\n# Who.\n{yaml.safe_dump({'people': [JANE]})}", encoding="utf-8")
    (tmp_path / ".vault-password").write_text("password\n", encoding="utf-8")
    files = EnvironmentFiles(tmp_path)
    files.write_people([JANE, JOE])
    assert people.read_text(encoding="utf-8").startswith("---\n# Who.\npeople:")
    assert files.people() == [JANE, JOE]
    files.write_vault({"vault_x": "planted"})
    assert files.vault() == {"vault_x": "planted"}
    kept = tmp_path / "group_vars/all/vault.yml"
    assert b"planted" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("writes", range(5))
def test_a_change_of_the_password_that_was_stopped_goes_on(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".vault-password").write_text("former\n", encoding="utf-8")
    files = EnvironmentFiles(tmp_path)
    files.write_vault({"vault_x": "planted"})
    for name in (".ssh/user_ca", ".ssh/audit"):
        (tmp_path / name).write_text(files.lib().encrypt("key").decode(), encoding="utf-8")

    remaining = [writes]
    replace = Path.replace

    def stopping(path: Path, target: Path) -> Path:
        remaining[0] -= 1
        if remaining[0] < 0:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as stopped:
        stopped.setattr(Path, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            files.change_password()
    assert files.vault() == {"vault_x": "planted"}
    assert files.decrypt(".ssh/user_ca") == files.decrypt(".ssh/audit") == b"key"
    files.change_password()
    assert files.vault() == {"vault_x": "planted"}
    assert files.decrypt(".ssh/user_ca") == files.decrypt(".ssh/audit") == b"key"
    assert not files.next_password_file.exists()
    with pytest.raises(AnsibleError):
        files.lib("former").decrypt((tmp_path / "group_vars/all/vault.yml").read_bytes())
