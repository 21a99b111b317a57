# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module release is asked for, how that compares with the host, and how it is carried out."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "Comparison", "answer", "compare", "look", "take_over"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look

from .back import target, withdraw, withdrawal
from .deployment import Deployment, inspect, retire, retired
from .model import ReleaseError, State, Wanted, lines, steps
from .place import Place
from .units import fetch_running

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "release": {"type": "str", "default": ""},
    "source": {"type": "str", "default": ""},
    "migrates": {"type": "bool", "default": False},
    "owner": {"type": "str", "default": ""},
    "processes": {"type": "list", "elements": "str", "default": []},
    "jobs": {"type": "list", "elements": "str", "default": []},
    "inputs": {"type": "str", "default": ""},
}
ARGUMENTS: dict[str, Any] = {
    "services": {"type": "list", "elements": "dict", "options": SERVICE, "required": True},
    "exclusive": {"type": "bool", "default": False},
    "keep": {"type": "int", "default": 3},
    "lock_timeout": {"type": "int", "default": 60},
    "by": {"type": "str", "default": ""},
    "again": {"type": "bool", "default": False},
    "back_to": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Each service with its state, the services that are here but not declared, and what a person should know."""

    services: list[tuple[Wanted, State]]
    gone: list[str]
    warnings: tuple[str, ...] = ()

    def lacking(self) -> list[str]:
        """The services whose release is neither here nor sent along."""
        return [wanted.name for wanted, state in self.services if not state.built and not wanted.inputs]


def compare(options: Mapping[str, Any]) -> Comparison:
    """Read the host. Raises ReleaseError when there is nothing to go back to."""
    named = [_wanted(service) for service in options["services"]]
    running = fetch_running({service.name: service.processes for service in named})
    services, warnings = [], []
    for service in named:
        wanted, warning = _decided(service, options)
        services.append((wanted, inspect(wanted, running)))
        warnings += [warning] if warning else []
    return Comparison(
        services=services,
        gone=retired([service.name for service in named]) if options["exclusive"] else [],
        warnings=tuple(warnings),
    )


def _wanted(service: Mapping[str, Any]) -> Wanted:
    lists = {"processes": tuple(service["processes"]), "jobs": tuple(service["jobs"])}
    return Wanted(**{**service, **lists})


def _decided(wanted: Wanted, options: Mapping[str, Any]) -> tuple[Wanted, str]:
    """The release that is to serve: the declared one, unless a person goes back, or went back from it."""
    place = Place(wanted.name)
    if options["back_to"]:
        identity = target(place, options["back_to"])
        return replace(wanted, release=identity, migrates=False, source=place.note(identity).get("source", "")), ""
    current = place.linked("current")
    taken = "" if options["again"] or wanted.release == current else withdrawal(place, wanted.release)
    if not taken or not current:
        return wanted, ""
    warning = (
        f"{wanted.name}: release {wanted.release} is declared, but {taken}; release {current} serves. "
        f"Declare another source, or release it again: playbooks/deploy.yml -e service={wanted.name}"
    )
    return replace(wanted, release=current, migrates=False, source=place.note(current).get("source", "")), warning


def take_over(found: Comparison, options: Mapping[str, Any]) -> list[str]:
    """Do what is due; what fails for one service does not keep the others back. Return the complaints."""
    complaints = []
    result = "rolled back" if options["back_to"] else "released"
    for wanted, state in found.services:
        deployment = Deployment(
            wanted=wanted, state=state, by=options["by"], keep=options["keep"], result=result, reason=options["reason"]
        )
        try:
            deployment.run()
            if options["back_to"] and state.current:
                withdraw(Place(wanted.name), state.current, by=options["by"], reason=options["reason"])
        except ReleaseError as error:
            complaints.append(str(error))
    for name in found.gone:
        try:
            retire(name)
        except ReleaseError as error:
            complaints.append(f"{name}: could not be ended: {error}")
    return complaints


def answer(found: Comparison) -> dict[str, Any]:
    """What changes, in Ansible's form."""
    due = {wanted.name: steps(wanted, state) for wanted, state in found.services}
    before = [lines(wanted.name, current=state.current, running=state.running) for wanted, state in found.services]
    after = [
        lines(wanted.name, current=wanted.release, running=wanted.release) if due[wanted.name] else old
        for (wanted, _), old in zip(found.services, before, strict=True)
    ]
    return {
        "changed": any(due.values()) or bool(found.gone),
        "services": {
            wanted.name: {"release": wanted.release, "previous": state.current, "steps": list(due[wanted.name])}
            for wanted, state in found.services
        },
        "retired": found.gone,
        "diff": {"before": "".join(before + [f"{name}: declared\n" for name in found.gone]), "after": "".join(after)},
    }


def look(options: Mapping[str, Any]) -> Look:
    """Say what differs."""
    found = compare(options)
    due = {wanted.name: steps(wanted, state) for wanted, state in found.services}
    return Look(
        differences=(
            *(f"{name}: {', '.join(step)}" for name, step in due.items() if step),
            *(f"{name}: is not declared" for name in found.gone),
        ),
        warnings=found.warnings,
    )
