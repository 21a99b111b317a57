# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module accounts is asked for, and how that compares with the host."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "Comparison", "compare", "look"]

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look

from .host import fetch_state
from .model import Person, State, Step
from .planning import plan

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS: dict[str, Any] = {
    "people": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "email": {"type": "str", "default": ""},
            "ssh": {"type": "str", "choices": ["admin", "user"], "default": "user"},
        },
    },
    "shell": {"type": "path", "default": "/bin/bash"},
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Who is declared, what is there, and the steps between."""

    people: list[Person]
    before: State
    steps: list[Step]


def compare(params: Mapping[str, Any]) -> Comparison:
    """Read the host and plan. Raises AccountsError when what is declared cannot be."""
    people = [
        Person(name=entry["name"], comment=entry["email"], admin=entry["ssh"] == "admin") for entry in params["people"]
    ]
    before = fetch_state()
    steps = plan(people, before, shell=params["shell"], caller=os.environ.get("SUDO_USER", ""))
    return Comparison(people=people, before=before, steps=steps)


def look(params: Mapping[str, Any]) -> Look:
    """Say what differs."""
    return Look(differences=tuple(step.says for step in compare(params).steps))
