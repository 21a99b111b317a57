"""PUR-1 at the services' units: what they may reach is what is declared that they talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import declared as release
from .judges import units
from .marks import control, not_assessed

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine


@control("PUR-1")
def test_services_reach_only_whom_they_declare(app: Machine, declaration: Environment) -> None:
    services = declaration.services_on(app.name)
    if not services:
        not_assessed(f"no service is declared for {app.name}")
    for service in services:
        name = service["name"]
        found = units.address_problems(
            units.parse(app.observed(f"units-{name}").text),
            service["talks_to"],
            now=units.looked_up(app.observed(f"names-{name}").text),
            lately=app.observed(f"addresses-{name}").json(),
            resolvers=app.observed("resolvers").text.split(),
        )
        assert not found, f"The units of {name} differ from its talks_to: {'; '.join(found)}."


@control("PUR-1")
@pytest.mark.usefixtures("ours")
def test_services_are_set_up_as_declared(app: Machine) -> None:
    found = release.problems(app, "app")
    assert not found, f"What the services are, and may, was changed: {'; '.join(found)}."
