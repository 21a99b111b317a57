# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Add one person to an environment's declaration, or take one out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils.declaration.people import LAYERS, check_people
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import Problem, nearest
from ansible_collections.art32.server.plugins.plugin_utils.environment_files import (
    EnvironmentFiles,
    below,
    fresh_secret,
    with_value,
    without,
)

PASSWORDS = "vault_database_passwords"
FORMER = "vault_former"
# Option -> key of an entry of people.
WORDS = {"email": "email", **{layer: layer for layer in LAYERS}, "last_day": "until"}


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Change people.yml and the vault as far as they differ."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "environment": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["present", "absent", "forgotten"], "default": "present"},
                "operator": {"type": "str", "required": True},
                **{word: {"type": "str", "default": ""} for word in WORDS},
            },
        )
        files = EnvironmentFiles(Path(arguments["environment"]))
        people, name = files.people(), str(arguments["name"])
        if arguments["state"] == "present":
            wanted = joined(people, name, {key: str(arguments[word]) for word, key in WORDS.items() if arguments[word]})
        else:
            wanted = left(people, name, str(arguments["operator"]))
        problems = check_people(wanted)
        if problems:
            raise AnsibleActionFail("\n".join(map(str, problems)))
        vault = files.vault()
        known = [*wanted, *people, *left_before(vault, name)]
        entry = next((person for person in known if person["name"] == name), {})
        secrets = with_secrets(vault, name, entry, str(arguments["state"]))
        changed = [people != wanted, vault != secrets]
        if not self._task.check_mode:
            if changed[0]:
                files.write_people(wanted)
            if changed[1]:
                files.write_vault(secrets)
        return {"changed": any(changed), "entry": entry}


def joined(people: list[dict[str, Any]], name: str, words: dict[str, str]) -> list[dict[str, Any]]:
    """The people with this one; what is said of somebody who is there is changed, the rest stays."""
    if any(person["name"] == name for person in people):
        return [{**person, **words} if person["name"] == name else person for person in people]
    return [*people, {"name": name, **words}]


def left(people: list[dict[str, Any]], name: str, operator: str) -> list[dict[str, Any]]:
    """The people without this one.

    Raises AnsibleActionFail for whoever runs the command, and for a name that nobody ever had.
    """
    if name == operator:
        said = "somebody else; who runs the playbook (access_person) needs a way in, so let another one do it"
        raise AnsibleActionFail(str(Problem(variable="person", value=name, allowed=said)))
    meant = nearest(name, [person["name"] for person in people])
    if meant and meant != name:
        said = f"the name of a person (did you mean {meant}?)"
        raise AnsibleActionFail(str(Problem(variable="person", value=name, allowed=said)))
    return [person for person in people if person["name"] != name]


def left_before(vault: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Who was taken out by a run that stopped before it was proved."""
    email = (vault.get(FORMER) or {}).get(f"people.{name}")
    return [{"name": name, "email": email}] if email else []


def with_secrets(vault: dict[str, Any], name: str, entry: dict[str, Any], state: str) -> dict[str, Any]:
    """The vault with a password for a person who has the layer database; without it once it is forgotten.

    The address of somebody who left stays in the vault until it is proved that no way in is left.
    """
    path = f"{PASSWORDS}.{name}"
    if state == "absent":
        return noting(vault, name, str(entry.get("email", "")))
    kept = noting(vault, name, "")
    if state == "forgotten":
        return without(kept, path) if below(kept, path) is not None else kept
    if "database" in entry and below(kept, path) is None:
        return with_value(kept, path, fresh_secret())
    return kept


def noting(vault: dict[str, Any], name: str, email: str) -> dict[str, Any]:
    """The vault with the address of somebody who is leaving, or without it."""
    former = {path: value for path, value in (vault.get(FORMER) or {}).items() if path != f"people.{name}"}
    former |= {f"people.{name}": email} if email else {}
    return {**without(vault, FORMER), **({FORMER: former} if former else {})}
