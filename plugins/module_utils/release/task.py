# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module release is asked for, how that compares with the host, and how it is carried out."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "Comparison", "answer", "compare", "look", "take_over"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look

from .deployment import Deployment, inspect, retire, retired
from .model import ReleaseError, State, Wanted, lines, steps
from .units import fetch_running

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "release": {"type": "str", "required": True},
    "source": {"type": "str", "default": ""},
    "migrates": {"type": "bool", "default": False},
    "owner": {"type": "str", "default": ""},
    "inputs": {"type": "str", "default": ""},
}
ARGUMENTS: dict[str, Any] = {
    "services": {"type": "list", "elements": "dict", "options": SERVICE, "required": True},
    "exclusive": {"type": "bool", "default": False},
    "keep": {"type": "int", "default": 3},
    "lock_timeout": {"type": "int", "default": 60},
    "by": {"type": "str", "default": ""},
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Each service with its state, and the services that are here but not declared."""

    services: list[tuple[Wanted, State]]
    gone: list[str]

    def lacking(self) -> list[str]:
        """The services whose release is neither here nor sent along."""
        return [wanted.name for wanted, state in self.services if not state.built and not wanted.inputs]


def compare(options: Mapping[str, Any]) -> Comparison:
    """Read the host."""
    wanted = [Wanted(**service) for service in options["services"]]
    running = fetch_running([service.name for service in wanted])
    return Comparison(
        services=[(service, inspect(service, running)) for service in wanted],
        gone=retired([service.name for service in wanted]) if options["exclusive"] else [],
    )


def take_over(found: Comparison, options: Mapping[str, Any]) -> list[str]:
    """Do what is due; what fails for one service does not keep the others back. Return the complaints."""
    complaints = []
    for wanted, state in found.services:
        try:
            Deployment(wanted=wanted, state=state, by=options["by"], keep=options["keep"]).run()
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
        )
    )
