"""What AWS itself says of an environment's machines, volumes, snapshots, security groups and bucket."""

from __future__ import annotations

__all__ = ["COMMANDS", "Placed", "asked", "group_openings", "groups_of", "instance_of", "placed"]

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module, metadata
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from .judges.firewall import Opening
from .marks import not_assessed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .machine import Lab, Machine

NO_CLOUD = "no cloud account is declared (cloud_provider), so the provider's own rules cannot be read"
EVERY_PROTOCOL = "-1"
REGIONS_AT_ONCE = 8
# What is asked, and how: the call and the key of its answer. What may be anywhere is asked of every region.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "instances": ("describe_instances", "Reservations"),
    "volumes": ("describe_volumes", "Volumes"),
    "snapshots": ("describe_snapshots", "Snapshots"),
    "security-groups": ("describe_security_groups", "SecurityGroups"),
}


@dataclass(frozen=True, order=True)
class Placed:
    """One thing and the region that it is in."""

    kind: str
    name: str
    region: str


def asked(lab: Lab, name: str) -> Any:  # noqa: ANN401 - as AWS has it
    """What AWS says of one kind of things of this environment; kept as evidence, asked once.

    Raises NotAssessedError when no account is declared or AWS does not answer.
    """
    environment = lab.environment
    if environment.get("cloud_provider", "none") != "aws":
        not_assessed(NO_CLOUD)
    kept = lab.store.find("aws", name)
    if kept is None:
        try:
            answer = _ask(name, environment.get("art32_region"), environment.name, environment.get("cloud_bucket"))
        except Exception as error:  # noqa: BLE001 - whatever it is, AWS was not asked
            not_assessed(f"AWS does not answer: {error}")
        text = json.dumps(answer, indent=1, default=str)
        kept = lab.store.keep(
            host="aws", name=name, command=f"aws {name}", rc=0, stdout=text, tool=f"boto3 {metadata.version('boto3')}"
        )
    return lab.store.use(kept).json()


def instance_of(machine: Machine) -> dict[str, Any]:
    """The instance that has one of a machine's declared addresses.

    Raises AssertionError when AWS knows none.
    """
    found = [item for entry in asked(machine.lab, "instances") for item in entry["Instances"]]
    own = [item for item in found if item.get("PublicIpAddress") in machine.addresses]
    assert own, f"AWS has no instance of this environment with an address of {machine.name} ({machine.addresses})."
    return dict(own[0])


def placed(lab: Lab) -> list[Placed]:
    """Everything of an environment in whatever region: instances, volumes, snapshots, and the bucket for backups."""
    instances = [item for entry in asked(lab, "instances") for item in entry["Instances"]]
    bucket = asked(lab, "bucket")
    return [
        *(Placed("instance", item["InstanceId"], _region(item["Placement"]["AvailabilityZone"])) for item in instances),
        *(Placed("volume", item["VolumeId"], _region(item["AvailabilityZone"])) for item in asked(lab, "volumes")),
        *(Placed("snapshot", item["SnapshotId"], item["Region"]) for item in asked(lab, "snapshots")),
        Placed("bucket", bucket["Name"], bucket["Region"]),
    ]


def group_openings(groups: Iterable[Mapping[str, Any]], family: int) -> set[Opening]:
    """What security groups let in over one family; what is not a network counts as its id."""
    found = set()
    for permission in (item for group in groups for item in group["IpPermissions"]):
        proto = permission["IpProtocol"]
        first, last = permission.get("FromPort", -1), permission.get("ToPort", -1)
        port = "any" if proto == EVERY_PROTOCOL else str(first) if first == last else f"{first}-{last}"
        sources = [item["CidrIp"] for item in permission.get("IpRanges", ())]
        sources += [item["CidrIpv6"] for item in permission.get("Ipv6Ranges", ())]
        found |= {
            Opening("any" if proto == EVERY_PROTOCOL else proto, port, source)
            for source in sources
            if ip_network(source).version == family
        }
        others = [item["GroupId"] for item in permission.get("UserIdGroupPairs", ())]
        others += [item["PrefixListId"] for item in permission.get("PrefixListIds", ())]
        found |= {Opening(proto, port, other) for other in others}
    return found


def groups_of(machine: Machine) -> list[dict[str, Any]]:
    """The security groups that stand before a machine."""
    wanted = {item["GroupId"] for item in instance_of(machine)["SecurityGroups"]}
    return [dict(group) for group in asked(machine.lab, "security-groups") if group["GroupId"] in wanted]


def _ask(name: str, region: str, environment: str, bucket: str) -> Any:  # noqa: ANN401 - as AWS has it
    session: Any = import_module("boto3").Session(region_name=region)
    if name == "bucket":
        answer = session.client("s3").get_bucket_location(Bucket=bucket)
        return {"Name": bucket, "Region": answer["LocationConstraint"] or "us-east-1"}
    call, key = COMMANDS[name]
    if name == "security-groups":
        # A group that somebody else attached has no tag of ours, and is the one that matters.
        return _pages(session.client("ec2"), call, key)
    mine = [{"Name": "tag:art32_environment", "Values": [environment]}]
    regions = [item["RegionName"] for item in session.client("ec2").describe_regions()["Regions"]]
    clients = {each: session.client("ec2", region_name=each) for each in regions}

    def ask(each: str) -> list[dict[str, Any]]:
        return [{**item, "Region": each} for item in _pages(clients[each], call, key, Filters=mine)]

    with ThreadPoolExecutor(REGIONS_AT_ONCE) as pool:
        return [item for found in pool.map(ask, regions) for item in found]


def _pages(client: Any, call: str, key: str, **filters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3 has no types
    return [item for page in client.get_paginator(call).paginate(**filters) for item in page[key]]


def _region(zone: str) -> str:
    return zone.rstrip("abcdefghijklmnopqrstuvwxyz")
