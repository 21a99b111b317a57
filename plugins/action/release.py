# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find what each service is made of, and send it to the hosts that lack it."""

from __future__ import annotations

import getpass
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible_collections.art32.server.plugins.module_utils.release.source import (
    Source,
    SourceError,
    build_wheel,
    find,
    release_id,
)
from ansible_collections.art32.server.plugins.plugin_utils.surveyed import SurveyedAction

if TYPE_CHECKING:
    from collections.abc import Iterable

COLLECTION = Path(__file__).resolve().parent.parent.parent


class ActionModule(SurveyedAction):
    """One execution on the host when nothing changes; a second one, and the transfers, when a release is lacking."""

    MODULE = "release"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host; when it lacks a release, send it and ask again."""
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        arguments = self._arguments()
        try:
            servers = arguments.pop("server_requirements")
            # What is on the host is gone back to, whatever is declared.
            sources = {} if arguments["back_to"] else self._sources(arguments["services"], servers)
            wanted = [_wanted(service, sources.get(service["name"])) for service in arguments["services"]]
            result = self._ask({**arguments, "services": wanted}, self._vars)
            if result.get("lacking"):
                result = self._equip(arguments, wanted, {name: sources[name] for name in result["lacking"]})
        except SourceError as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def _arguments(self) -> dict[str, Any]:
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "services": {"type": "list", "elements": "dict", "required": True},
                "server_requirements": {"type": "dict", "default": {}},
                "exclusive": {"type": "bool", "default": False},
                "keep": {"type": "int", "default": 3},
                "lock_timeout": {"type": "int", "default": 60},
                "by": {"type": "str", "default": ""},
                "again": {"type": "bool", "default": False},
                "back_to": {"type": "str", "default": ""},
                "reason": {"type": "str", "default": ""},
            },
        )
        person = self._vars.get("access_person")
        by = arguments["by"] or (self._templar.template(person) if person else getpass.getuser())
        return {**arguments, "by": str(by)}

    def _sources(self, services: list[dict[str, Any]], servers: dict[str, str]) -> dict[str, Source]:
        inventory = self._vars.get("inventory_dir")
        bases = [Path(base) for base in (inventory, os.getcwd(), COLLECTION) if base]  # noqa: PTH109
        sources = {}
        for service in services:
            kind = next(iter(service["application"]))
            try:
                sources[service["name"]] = find(service["source"], bases=bases, server=servers.get(kind, ""))
            except SourceError as error:
                raise SourceError(f"services: {service['name']}: source: {error}") from error
        return sources

    def _equip(
        self, arguments: dict[str, Any], wanted: list[dict[str, Any]], lacking: dict[str, Source]
    ) -> dict[str, Any]:
        """Send what the lacking releases are made of, then let the host take them over."""
        self._make_tmp_path()
        try:
            with tempfile.TemporaryDirectory() as directory:
                wheels = _wheels(lacking.values(), Path(directory))
                for service in (service for service in wanted if service["name"] in lacking):
                    source = lacking[service["name"]]
                    service["inputs"] = self._send(service["name"], source, wheels, Path(directory))
            return self._ask({**arguments, "services": wanted}, self._vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]  # noqa: SLF001

    def _send(self, name: str, source: Source, wheels: dict[Path, Path], directory: Path) -> str:
        """Transfer requirements and wheel; return their directory on the host."""
        shell = self._connection._shell  # noqa: SLF001 - as every action of ansible-core does
        place = str(shell.join_path(shell.tmpdir, name))
        made = self._low_level_execute_command(f"mkdir {shell.quote(place)}", sudoable=False)  # type: ignore[no-untyped-call]
        if made["rc"] != 0:
            raise AnsibleActionFail(f"{place}: {made['stderr']}")
        requirements = directory / "requirements.txt"
        requirements.write_text(source.requirements, encoding="utf-8")
        wheel = wheels[source.checkout] if source.checkout else source.wheel
        files = [file for file in (requirements, wheel) if file]
        sent = [self._transfer_file(str(file), shell.join_path(place, file.name)) for file in files]  # type: ignore[no-untyped-call]
        self._fixup_perms2((shell.tmpdir, place, *sent))  # type: ignore[no-untyped-call]
        return place


def _wheels(sources: Iterable[Source], directory: Path) -> dict[Path, Path]:
    """Build each checkout once, however many services it has; the wheels by their checkouts."""
    wheels = {}
    for number, checkout in enumerate({source.checkout for source in sources if source.checkout}):
        place = directory / str(number)
        place.mkdir()
        wheels[checkout] = build_wheel(checkout, place)
    return wheels


def _wanted(service: dict[str, Any], source: Source | None) -> dict[str, Any]:
    """What the host has to know for the comparison; never secrets."""
    database = service.get("database") or ""
    return {
        "name": service["name"],
        "release": release_id(source) if source else "",
        "source": source.label if source else "",
        "migrates": bool(service.get("migrate")),
        "owner": f"{database}_owner" if database else "",
        "processes": [program["name"] for program in service.get("processes", [])],
        "jobs": [program["name"] for program in service.get("jobs", [])],
    }
