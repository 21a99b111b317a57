"""What an environment declares: its hosts, groups and variables, as `ansible-inventory --list` says them."""

from __future__ import annotations

__all__ = ["DECLARATION", "MANAGEMENT", "VISITOR", "Environment", "EnvironmentError_", "read", "recalled"]

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from plugins.module_utils import declaration

DECLARATION = "declaration.json"  # in a bundle
VAULTED = "vault_"
SECRET_NAME = re.compile(r"password|secret|passphrase|cipher_pass|token|private_key$", re.IGNORECASE)
OF_THE_CONTROLLER = re.compile(
    r"ansible_(?!host$)|__|access_ca$|access_first_|backup_known_hosts$|audit_(directory|mailbox_command|signing_key|synthetic_account)$"
)
ADDRESSED = ("ansible_host", "network_addresses")  # what tells a host's addresses, to its neighbours too
HIDDEN = "(hidden)"
MANAGEMENT, VISITOR = "vantage_management", "vantage_visitor"
PROJECT = Path(__file__).parent.parent
# For Ansible in this process and in those it starts, wherever they are started.
os.environ.setdefault("ANSIBLE_CONFIG", str(PROJECT / "ansible.cfg"))
PARTS: Mapping[str, tuple[str, ...]] = {
    "server": ("database", "web", "app"),
    "database": ("database",),
    "web": ("web",),
    "app": ("app",),
    "backup": ("backup_repository",),
    "management": (MANAGEMENT,),
    "visitor": (VISITOR,),
}


class EnvironmentError_(RuntimeError):  # noqa: N801, N818 - the plain name is a builtin
    """The environment cannot be read; the message is ansible-inventory's own."""


class Told(str):
    """What a dynamic inventory was told by somebody else: a text, whatever it looks like."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The declaration, as every check reads it."""

    directory: Path
    groups: Mapping[str, Sequence[str]]
    hostvars: Mapping[str, Mapping[str, Any]] = field(repr=False)  # with the vault's secrets
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)
    _asked: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What the environment calls itself, or else its directory's name."""
        return str(self.get("art32_environment", self.directory.name))

    @cached_property
    def managed(self) -> list[str]:
        """Every host that the collection configures."""
        return declaration.managed_hosts(self.groups)

    def hosts(self, part: str) -> list[str]:
        """The hosts that play a part: managed, server, database, web, app, backup, management or visitor."""
        if part == "managed":
            return list(self.managed)
        # With a bucket each database host makes its own backups.
        name = "database" if part == "backup" and self.backs_up_to_bucket else part
        members = {host for group in PARTS[name] for host in self.groups.get(group, ())}
        return [host for host in self.groups["all"] if host in members]

    @property
    def backs_up_to_bucket(self) -> bool:
        """Whether the backups are in a bucket instead of on a host of their own."""
        return bool(self.get("backup_repository", "host") == "s3")

    def backed_up_by(self, host: str) -> list[str]:
        """The hosts whose backups a host makes that plays the part backup."""
        return [host] if self.backs_up_to_bucket else self.hosts("database")

    def get(self, name: str, default: Any = None, *, host: str | None = None) -> Any:  # noqa: ANN401 - as declared
        """A variable's value for a host (the first managed one unless given), or the role's default, or `default`."""
        subject = host or next(iter(self.managed or self.groups["all"]), "")
        variables = {**self.defaults, **self.hostvars.get(subject, {})}
        if name not in variables:
            return default
        value = variables[name]
        if _has_template(value):
            if (subject, name) not in self._made:
                self._made[subject, name] = self._template(value, subject, variables)
            value = self._made[subject, name]
        self._asked.setdefault(subject, {})[name] = value
        return value

    def told(self) -> dict[str, Any]:
        """What was asked of the declaration so far, as JSON has it, without secrets and the controller's paths."""
        secrets = {text for variables in self.hostvars.values() for text in _vaulted(variables)}
        addressed = {
            host: {name: variables[name] for name in ADDRESSED if name in variables}
            for host, variables in self.hostvars.items()
        }
        asked = {
            host: {
                name: _masked(value, secrets, name)
                for name, value in sorted({**values, **self._asked.get(host, {})}.items())
                if not OF_THE_CONTROLLER.match(name)
            }
            for host, values in sorted(addressed.items())
        }
        groups = {name: list(members) for name, members in sorted(self.groups.items())}
        return {"name": self.name, "groups": groups, "variables": asked}

    def everything_told(self) -> dict[str, Any]:
        """As `told`, of all that is declared and can be told: neither the vault, nor what is named like a secret."""
        for host, variables in self.hostvars.items():
            for name in {**self.defaults, **variables}:
                # What needs a host's facts, or a secret that is not here, no check asks for without them.
                with suppress(Exception):
                    if not name.startswith(VAULTED) and not SECRET_NAME.search(name):
                        self.get(name, host=host)
        return self.told()

    def addresses(self, host: str) -> list[str]:
        """The declared addresses of a host, IPv4 before IPv6."""
        networks = declaration.addresses_of(host, self.hostvars[host])
        return [str(network.network_address) for network in sorted(networks, key=lambda network: network.version)]

    def exposure(self, host: str) -> list[dict[str, Any]]:
        """The ports a host opens, and to whom."""
        rules, management = self.get("network_exposure", []), self.get("network_management", [])
        found: list[dict[str, Any]] = declaration.exposure(rules, management, self.groups, host, self.hostvars)
        return found

    def people(self, layer: str) -> dict[str, str]:
        """The role of each person who has this layer today, by name."""
        return {person["name"]: person[layer] for person in self.people_of(layer)}

    def people_of(self, layer: str) -> list[dict[str, Any]]:
        """Each person who has this layer today: name, email and the role on it."""
        found: list[dict[str, Any]] = declaration.people_with(self.get("people", []), layer)
        return found

    def services_on(self, host: str) -> list[dict[str, Any]]:
        """The services that a host runs."""
        groups = [group for group, members in self.groups.items() if host in members]
        found: list[dict[str, Any]] = declaration.services_on(self.get("services", []), groups)
        return found

    def render(self, role: str, template: str, host: str, **more: object) -> str:
        """A role's template as the role fills it for a host; `more` are variables that the role makes by itself."""
        text = (PROJECT / "roles" / role / "templates" / template).read_text(encoding="utf-8")
        names = set(re.findall(r"\w+", text)) & {*self.defaults, *self.hostvars[host]}
        values = {name: self.get(name, host=host) for name in names} | more
        made: str = _templar(_trusted(values)).template(_trusted(text), overrides={"trim_blocks": True})
        return made

    @property
    def services(self) -> list[dict[str, Any]]:
        """Every declared service, all optional keys present."""
        declared = self.get("services", [])
        return [declaration.service(declared, entry["name"]) for entry in declared]

    def _template(self, value: Any, host: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as declared
        extra = {"groups": dict(self.groups), "inventory_hostname": host, "inventory_dir": str(self.directory)}
        return _templar(_trusted({**variables, **extra})).template(_trusted(value))


def read(directory: Path, told: str | None = None) -> Environment:
    """Read an environment's directory, unless what `ansible-inventory --list` says of it is told.

    Raises EnvironmentError_ when Ansible cannot.
    """
    inventory = json.loads(_list(directory) if told is None else told)
    hostvars = inventory.pop("_meta")["hostvars"]
    groups = {group: _members(inventory, group) for group in inventory}
    return Environment(directory=directory, groups=groups, hostvars=_complete(hostvars, groups), defaults=_defaults())


def _list(directory: Path) -> str:
    command = ["ansible-inventory", "--inventory", str(directory), "--list"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode != 0:
        raise EnvironmentError_(answer.stderr.strip())
    return answer.stdout


def recalled(directory: Path) -> Environment:
    """What an earlier audit asked of its declaration, from its bundle.

    Raises OSError or ValueError when it cannot be read.
    """
    told = json.loads((directory / DECLARATION).read_text(encoding="utf-8"))
    hostvars = {host: _as_told(told["variables"].get(host, {})) for host in told["groups"]["all"]}
    return Environment(directory=directory, groups=told["groups"], hostvars=hostvars)


def _as_told(value: Any) -> Any:  # noqa: ANN401 - as declared
    """Values that were resolved long ago: nothing in them is a template."""
    if isinstance(value, str):
        return Told(value)
    if isinstance(value, dict):
        return {key: _as_told(item) for key, item in value.items()}
    return [_as_told(entry) for entry in value] if isinstance(value, list) else value


def _vaulted(variables: Mapping[str, Any]) -> Iterator[str]:
    """Every text among the secrets."""
    waiting = [value for name, value in variables.items() if name.startswith(VAULTED)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping | list):
            waiting += value.values() if isinstance(value, Mapping) else value


def _masked(value: Any, secrets: set[str], name: str = "") -> Any:  # noqa: ANN401 - as declared
    """A value without secrets: those of the vault, and whatever stands under a name that says it is one."""
    if isinstance(value, Mapping):
        return {key: _masked(item, secrets, f"{name} {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(entry, secrets, name) for entry in value]
    if isinstance(value, str) and value:
        is_secret = SECRET_NAME.search(name) or any(text and text in value for text in secrets)
        return HIDDEN if is_secret else value
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def _members(inventory: Mapping[str, Any], group: str) -> list[str]:
    content = inventory.get(group, {})
    hosts = list(content.get("hosts", []))
    for child in content.get("children", []):
        hosts += [host for host in _members(inventory, child) if host not in hosts]
    return hosts


def _complete(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Every host's variables, lists with their entries as they were written."""
    return {
        host: {name: _as_written(value) for name, value in hostvars.get(host, {}).items()} for host in groups["all"]
    }


def _as_written(value: Any) -> Any:  # noqa: ANN401 - as declared
    """A list of entries with their key `on`, which YAML 1.1 read as a boolean and JSON wrote as the text `true`.

    What a dynamic inventory was told is marked by Ansible, and stays what it is: nothing in it is a template.
    """
    if isinstance(value, dict) and value.keys() == {"__ansible_unsafe"}:
        return Told(value["__ansible_unsafe"])
    if isinstance(value, dict):
        return {"on" if key == "true" else key: item for key, item in value.items()}
    return [_as_written(entry) for entry in value] if isinstance(value, list) else value


def _defaults() -> dict[str, Any]:
    """What the roles assume where the environment says nothing."""
    values: dict[str, Any] = {}
    for path in sorted((PROJECT / "roles").glob("*/defaults/main.yml")):
        values |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return values


def _templar(variables: dict[str, Any]) -> Any:  # noqa: ANN401 - Ansible's class, imported late
    # Half a second, and most variables are plain.
    from ansible.template import Templar  # noqa: PLC0415

    return Templar(loader=_loader(), variables=variables)


@cache
def _loader() -> Any:  # noqa: ANN401 - as above
    """Ansible's reader of files, once its plugins can be found."""
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415

    init_plugin_loader([])
    return DataLoader()


def _has_template(value: Any) -> bool:  # noqa: ANN401 - as declared
    if isinstance(value, Told):
        return False
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_has_template(item) for item in value.values())
    return isinstance(value, list) and any(_has_template(item) for item in value)


def _trusted(value: Any) -> Any:  # noqa: ANN401 - as declared
    from ansible.template import trust_as_template  # noqa: PLC0415 - see _template

    if isinstance(value, str):
        return value if isinstance(value, Told) else trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: _trusted(item) for key, item in value.items()}
    return [_trusted(item) for item in value] if isinstance(value, list) else value
