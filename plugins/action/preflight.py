# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse an environment that cannot be applied, before any host is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils.access import AGENT
from ansible_collections.art32.server.plugins.module_utils.declaration.documents import plain
from ansible_collections.art32.server.plugins.module_utils.declaration.environment import (
    Host,
    check_host,
    hide,
    in_lines,
)
from ansible_collections.art32.server.plugins.module_utils.declaration.network import managed_hosts
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import Problem
from ansible_collections.art32.server.plugins.module_utils.declaration.regions import check_regions
from ansible_collections.art32.server.plugins.module_utils.declaration.services import check_services
from ansible_collections.art32.server.plugins.module_utils.declaration.site import (
    check_members,
    check_names,
    check_own_addresses,
    check_shared,
    check_watcher,
    texts_of,
)
from ansible_collections.art32.server.plugins.module_utils.declaration.specs import Spec
from ansible_collections.art32.server.plugins.plugin_utils.neighbours import (
    authority_of,
    names_of,
    neighbours,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

COLLECTION = Path(__file__).resolve().parent.parent.parent
# Facts are read when the hosts are reached, which is later: a value made of them is checked by the role itself.
LATER = "ansible_facts"
SHORTEST_SECRET = 6
# Addresses of people whom a run of offboard.yml has not finished with: one person may leave two environments.
LEAVING = "vault_former.people."


class ActionModule(ActionBase):
    """Runs once for all hosts, on the controller only."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check every host's variables; all problems are told at once."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={"role": {"type": "str"}, "roles": {"type": "list", "elements": "str"}},
            mutually_exclusive=[("role", "roles")],
            required_one_of=[("role", "roles")],
        )
        self._vars = task_vars or {}
        roles, whole = arguments["roles"] or [arguments["role"]], bool(arguments["roles"])
        specs = [*environment_specs(), *(spec for spec in map(role_spec, roles) if spec)]
        groups = {name: list(members) for name, members in self._vars["groups"].items()}
        managed = [host for host in self._vars["ansible_play_hosts_all"] if host in managed_hosts(groups)]
        lines = in_lines({host: self._problems(host, groups, specs, whole=whole) for host in managed})
        if whole:
            lines += map(str, self._contradictions(groups))
        if lines:
            count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
            raise AnsibleActionFail("\n".join([f"{count} in the environment; nothing was changed:", *lines]))
        return {"changed": False}

    def _problems(
        self,
        host: str,
        groups: Mapping[str, list[str]],
        specs: list[Spec],
        *,
        whole: bool,
    ) -> list[Problem]:
        names, read = self._reader(host)
        values: dict[str, Any] = {}
        missing: list[Problem] = []
        for name in sorted(frozenset[str]().union(*(spec.known for spec in specs)) & names.keys()):
            try:
                values[name] = plain(read(name))
            except AnsibleError as error:
                if LATER not in str(plain(names[name])):
                    missing.append(Problem(variable=name, kind="missing", allowed=_reason(error)))
        unread = {problem.variable for problem in missing}
        declared = Host(name=host, values=values, names=names)
        problems = check_host(declared, specs, groups, complete=whole, renamed=renamed())
        problems = [problem for problem in problems if problem.variable not in unread]
        return hide([*problems, *missing], self._secrets(names, read))

    def _contradictions(self, groups: Mapping[str, list[str]]) -> list[Problem]:
        """What the hosts say of one another, and what other environments beside this one have too."""
        addresses = {host: self._addresses(host) for host in groups["all"]}
        problems = [*check_members(groups), *check_own_addresses(addresses, groups)]
        problems += check_watcher(str(self._own("watch_host") or ""), groups)
        problems += check_regions(self._own("art32_regions_allowed"))
        services = self._own("services")
        if services is not None and not check_services(services):
            web = [address for host in groups.get("web", ()) for address in addresses[host]]
            problems += check_names(services, web, resolve(names_of(services)))
        own = {name: self._own(name) for name in self._vars if name.startswith("vault_")}
        texts = {path: text for name, value in own.items() for path, text in texts_of(name, value).items()}
        secrets = {path: text for path, text in texts.items() if not path.startswith(LEAVING)}
        inventory = self._own("inventory_dir")
        others = neighbours(Path(inventory)) if inventory else {}
        problems += check_shared(secrets, {name: other.secrets for name, other in others.items()})
        if not str(self._own("access_ca")).startswith(AGENT):
            authority = {"access_ca_public": authority_of(str(self._own("access_ca_public")))}
            problems += check_shared(
                authority, {name: other.authority for name, other in others.items()}, "an authority"
            )
        return problems

    def _own(self, name: str) -> Any:  # noqa: ANN401 - any value
        """A variable's value; None when it has none. What is wrong with it is told elsewhere."""
        try:
            return plain(self._templar.template(self._vars[name])) if name in self._vars else None
        except AnsibleError:
            return None

    def _addresses(self, host: str) -> list[str]:
        values = self._vars["hostvars"][host]
        declared = values.get("network_addresses")
        return [str(address) for address in declared] if isinstance(declared, list) else []

    def _reader(self, host: str) -> tuple[Mapping[str, Any], Callable[[str], Any]]:
        """A host's variables as they were written, and how to get the value of one.

        The play's own variables and the role's defaults are known of the current host only; they hold for the others
        where their inventory says nothing.
        """
        if host == self._vars["inventory_hostname"]:
            return self._vars, lambda name: self._templar.template(self._vars[name])
        declared = self._vars["hostvars"].raw_get(host)
        values = self._vars["hostvars"][host]

        def read(name: str) -> Any:  # noqa: ANN401 - any value
            return values[name] if name in declared else self._templar.template(self._vars[name])

        own = self._vars["hostvars"].raw_get(self._vars["inventory_hostname"])
        return {name: value for name, value in self._vars.items() if name not in own} | declared, read

    def _secrets(self, names: Iterable[str], read: Callable[[str], Any]) -> set[str]:
        """Every text of the vault."""
        return {
            text
            for name in names
            if name.startswith("vault_")
            for text in _texts(plain(read(name)))
            if len(text) >= SHORTEST_SECRET
        }


def environment_specs() -> list[Spec]:
    """What the collection says of the variables that belong to no role."""
    document = yaml.safe_load((COLLECTION / "meta" / "environment.yml").read_text(encoding="utf-8"))
    return [
        Spec(prefix=prefix, options=entry["options"], limits=entry.get("limits", {}))
        for prefix, entry in document.items()
    ]


def role_spec(role: str) -> Spec | None:
    """What a role of this collection says of its variables; None when it says nothing.

    Raises AnsibleActionFail when there is no such role.
    """
    directory = COLLECTION / "roles" / role.rpartition(".")[2]
    if not directory.is_dir():
        raise AnsibleActionFail(f"There is no role {role} in this collection")
    document = _load(directory / "meta" / "argument_specs.yml")
    options: dict[str, Any] = {}
    for entry_point in document.get("argument_specs", {}).values():
        options |= entry_point.get("options", {})
    if not options:
        return None
    return Spec(
        prefix=f"{directory.name}_",
        options=options,
        limits=_load(directory / "meta" / "limits.yml"),
        defaults=frozenset(_load(directory / "defaults" / "main.yml")),
    )


def renamed() -> dict[str, dict[str, str]]:
    """Names that variables had in older versions, each with its present one."""
    return _load(COLLECTION / "meta" / "renamed.yml")


def _load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _reason(error: Exception) -> str:
    """Ansible's reason without the places in which it was found."""
    return str(error).splitlines()[0].removeprefix("Error while resolving value: ")


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - any value
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]
