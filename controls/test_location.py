"""LOC-1: in which region the servers stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .marks import control, not_assessed

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine


@control("LOC-1")
def test_declared_region_is_allowed(managed: Machine, declaration: Environment) -> None:
    region, allowed = managed.variable("art32_region"), managed.variable("art32_regions_allowed", [])
    managed.lab.declared("region", art32_region=region, art32_regions_allowed=allowed)
    assert region in allowed, f"art32_region is {region}; allowed are {', '.join(allowed)} (art32_regions_allowed)."


@control("LOC-1")
def test_placement_of_the_machine_is_the_declared_region(managed: Machine) -> None:
    endpoint = managed.variable("audit_metadata_endpoint", "")
    if not endpoint:
        not_assessed("no metadata endpoint is declared (audit_metadata_endpoint), so only the declaration is known")
    url = f"{endpoint.rstrip('/')}/latest/meta-data/placement/region"
    answered = managed.fetch("placement-region", f"curl --silent --show-error --fail --max-time 5 {url}")
    region = answered.text.strip()
    assert region == managed.variable("art32_region"), (
        f"The machine stands in {region}; declared is {managed.variable('art32_region')} (art32_region)."
    )
