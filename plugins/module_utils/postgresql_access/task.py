# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module postgresql_access is asked for, and how that compares with the cluster."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "apply", "look", "warnings"]

from datetime import date
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look

from .declaration import Declaration, Person, Service
from .model import AccessError
from .server import Outcome, Target, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping

PERSON: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "role": {"type": "str", "choices": ["readonly", "readwrite", "admin"], "required": True, "aliases": ["database"]},
    "email": {"type": "str"},
    "until": {"type": "str"},
}
ARGUMENTS: dict[str, Any] = {
    "databases": {"type": "list", "elements": "str", "default": []},
    "extensions": {"type": "dict", "default": {}},
    "connection_limit": {"type": "int", "default": 50},
    "locale": {"type": "str", "default": "C.UTF-8"},
    "people": {"type": "list", "elements": "dict", "options": PERSON, "default": []},
    "passwords": {"type": "dict", "no_log": True, "default": {}},
    "undeclared": {"type": "str", "choices": ["report", "remove"], "default": "report"},
    "socket": {"type": "path", "default": "/var/run/postgresql"},
    "port": {"type": "int", "default": 5432},
    "user": {"type": "str", "default": "postgres"},
}


def declared(params: Mapping[str, Any]) -> Declaration:
    """What the task declares, with every person's password and last day."""
    extensions = params["extensions"]
    strange = sorted(extensions.keys() - set(params["databases"]))
    if strange:
        raise AccessError(f"extensions names database {strange[0]}; it has to be one of databases")
    services = tuple(
        Service(
            database=name,
            connection_limit=params["connection_limit"],
            locale=params["locale"],
            extensions=frozenset(extensions.get(name, ())),
        )
        for name in params["databases"]
    )
    return Declaration(
        services=services, people=tuple(person(entry, params["passwords"]) for entry in params["people"])
    )


def person(entry: Mapping[str, Any], passwords: Mapping[str, str]) -> Person:
    """One person of the declaration. Raises AccessError when something about them cannot be."""
    name, until = entry["name"], entry["until"]
    if not passwords.get(name):
        raise AccessError(f"passwords.{name} is missing; every person with a login has a password")
    try:
        last_day = date.fromisoformat(until) if until else None
    except ValueError:
        raise AccessError(f"until of {name} is {until}; it has to be a date like 2026-12-31") from None
    return Person(name=name, role=entry["role"], password=passwords[name], until=last_day)


def apply(params: Mapping[str, Any], *, check: bool) -> Outcome:
    """Make it so, or predict it."""
    target = Target(directory=params["socket"], port=params["port"], user=params["user"])
    return reconcile(declared(params), target, remove=params["undeclared"] == "remove", check=check)


def warnings(outcome: Outcome) -> tuple[str, ...]:
    """What the operator should hear of besides."""
    return tuple(f"PostgreSQL has what nobody declared: {name}" for name in outcome.undeclared)


def look(params: Mapping[str, Any]) -> Look:
    """Say what differs."""
    outcome = apply(params, check=True)
    return Look(differences=tuple(outcome.changes), warnings=warnings(outcome))
