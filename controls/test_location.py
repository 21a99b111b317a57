"""LOC-1: in which region the servers stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import bucket, cloud, sources
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
    endpoint = sources.metadata_endpoint(managed.lab.environment, managed.name)
    if not endpoint:
        not_assessed("no metadata endpoint is declared (audit_metadata_endpoint), so only the declaration is known")
    answered = managed.fetch("placement-region", sources.PLACEMENT.format(url=endpoint))
    region = answered.text.strip()
    assert region == managed.variable("art32_region"), (
        f"The machine stands in {region}; declared is {managed.variable('art32_region')} (art32_region)."
    )


@control("LOC-1")
def test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(managed: Machine) -> None:
    declared = managed.variable("art32_region")
    cloud.instance_of(managed)
    elsewhere = [item for item in cloud.placed(managed.lab) if item.region != declared]
    listed = ", ".join(f"{item.kind} {item.name} in {item.region}" for item in elsewhere)
    assert not elsewhere, f"Not in {declared} (art32_region): {listed}."


@control("LOC-1")
def test_backups_are_in_an_allowed_region(backup: Machine, declaration: Environment) -> None:
    allowed = declaration.get("art32_regions_allowed", [])
    if declaration.backs_up_to_bucket:
        region, where = bucket.asked(backup.lab).region, f"the bucket {declaration.get('backup_s3_bucket')}"
        declared = declaration.get("backup_s3_region")
        assert region == declared, f"The bucket is in {region}; declared is {declared} (backup_s3_region)."
    else:
        region, where = backup.variable("art32_region"), backup.name
        backup.lab.declared("region", art32_region=region, art32_regions_allowed=allowed)
    assert region in allowed, f"{where} is in {region}; allowed are {', '.join(allowed)} (art32_regions_allowed)."
