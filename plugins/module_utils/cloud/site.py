# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything of an environment together: made, told, photographed, ended."""

from __future__ import annotations

__all__ = ["apply", "end", "snapshot"]

from typing import TYPE_CHECKING, Any

from . import bucket, machines, network
from .model import Change, CloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .work import Work


def apply(work: Work) -> None:
    """Bring the account to the declaration, in an order in which each step finds what it needs.

    It may stop anywhere: the next pass finds what was made by its tags and goes on.
    """
    vpc, subnet = network.apply_network(work)
    key = machines.apply_key(work)
    addresses = {machine.name: machines.apply_address(work, machine) for machine in work.wanted.machines}
    given = _given(work, addresses)
    for machine in work.wanted.machines:
        group = network.apply_group(work, machine, vpc, work.wanted.rules(machine.name, given))
        instance = machines.apply_machine(work, machine, (subnet, group), key)
        machines.place_address(work, machine, addresses[machine.name], instance)
    if not work.dry:
        # What reaches a machine from another one is known now over both families.
        given = _given(work, addresses)
        for machine in work.wanted.machines:
            network.apply_group(work, machine, vpc, work.wanted.rules(machine.name, given))
    bucket.apply_bucket(work)


def _given(work: Work, addresses: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The addresses of each machine that has one."""
    return {
        machine.name: [addresses[machine.name]["PublicIp"], *machines.ipv6_of(work, machine)]
        for machine in work.wanted.machines
        if addresses[machine.name]
    }


def snapshot(work: Work, keep: int) -> None:
    """A snapshot of every volume; of each volume's snapshots the newest are kept."""
    for volume in sorted(work.find("describe_volumes", "Volumes"), key=_host_of):
        name, made = _host_of(volume), ""
        if work.note(Change(action="create", kind="snapshot", name=name, detail=volume["VolumeId"])):
            made = work.ec2.create_snapshot(
                VolumeId=volume["VolumeId"],
                Description=f"{work.wanted.environment}: {name}",
                TagSpecifications=work.specification("snapshot", name, art32_host=name),
            )["SnapshotId"]
        found = work.ec2.describe_snapshots(
            OwnerIds=["self"],
            Filters=[*work.own(), {"Name": "volume-id", "Values": [volume["VolumeId"]]}],
        )["Snapshots"]
        older = sorted((item for item in found if item["SnapshotId"] != made), key=lambda item: item["StartTime"])
        for old in older[: max(0, len(older) + 1 - keep)]:
            if work.note(Change(action="remove", kind="snapshot", name=name, detail=old["SnapshotId"])):
                work.ec2.delete_snapshot(SnapshotId=old["SnapshotId"])


def _host_of(volume: Mapping[str, Any]) -> str:
    """The host that a volume is of, or else its own id."""
    tagged = (str(tag["Value"]) for tag in volume["Tags"] if tag["Key"] == "art32_host")
    return next(tagged, str(volume["VolumeId"]))


def end(work: Work) -> None:
    """Remove what was made for this environment and nothing else; the bucket stays while it holds anything."""
    _end_instances(work)
    for address in work.find("describe_addresses", "Addresses"):
        if work.note(Change(action="remove", kind="address", name=address["PublicIp"])):
            if address.get("AssociationId"):
                work.ec2.disassociate_address(AssociationId=address["AssociationId"])
            work.ec2.release_address(AllocationId=address["AllocationId"])
    for call, key, identity, kind, remove in _KINDS:
        for item in work.find(call, key):
            if work.note(Change(action="remove", kind=kind, name=item[identity])):
                remove(work, item)
    for snapshot_ in work.ec2.describe_snapshots(OwnerIds=["self"], Filters=work.own())["Snapshots"]:
        if work.note(Change(action="remove", kind="snapshot", name=snapshot_["SnapshotId"])):
            work.ec2.delete_snapshot(SnapshotId=snapshot_["SnapshotId"])
    _end_bucket(work)


def _end_instances(work: Work) -> None:
    ended = []
    for reservation in work.find("describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in machines.RUNNING:
                continue
            identity = instance["InstanceId"]
            if work.note(Change(action="remove", kind="instance", name=identity)):
                work.ec2.modify_instance_attribute(InstanceId=identity, DisableApiTermination={"Value": False})
                work.ec2.terminate_instances(InstanceIds=[identity])
                ended.append(identity)
    if ended:
        work.ec2.get_waiter("instance_terminated").wait(InstanceIds=ended)


def _end_gateway(work: Work, item: Mapping[str, Any]) -> None:
    for attachment in item.get("Attachments", ()):
        work.ec2.detach_internet_gateway(InternetGatewayId=item["InternetGatewayId"], VpcId=attachment["VpcId"])
    work.ec2.delete_internet_gateway(InternetGatewayId=item["InternetGatewayId"])


def _end_table(work: Work, item: Mapping[str, Any]) -> None:
    for association in item.get("Associations", ()):
        work.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    work.ec2.delete_route_table(RouteTableId=item["RouteTableId"])


_KINDS: list[tuple[str, str, str, str, Callable[[Work, Mapping[str, Any]], Any]]] = [
    (
        "describe_security_groups",
        "SecurityGroups",
        "GroupId",
        "security group",
        lambda work, item: work.ec2.delete_security_group(GroupId=item["GroupId"]),
    ),
    (
        "describe_key_pairs",
        "KeyPairs",
        "KeyName",
        "key",
        lambda work, item: work.ec2.delete_key_pair(KeyName=item["KeyName"]),
    ),
    ("describe_route_tables", "RouteTables", "RouteTableId", "routes", _end_table),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "gateway", _end_gateway),
    (
        "describe_subnets",
        "Subnets",
        "SubnetId",
        "subnet",
        lambda work, item: work.ec2.delete_subnet(SubnetId=item["SubnetId"]),
    ),
    ("describe_vpcs", "Vpcs", "VpcId", "VPC", lambda work, item: work.ec2.delete_vpc(VpcId=item["VpcId"])),
]


def _end_bucket(work: Work) -> None:
    """Only an empty bucket, and only one with this environment's tags."""
    name = work.wanted.bucket
    try:
        tags = {tag["Key"]: tag["Value"] for tag in work.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    except work.s3.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchBucket", "NoSuchTagSet"):
            return
        raise CloudError(f"The bucket {name} cannot be read: {error}") from error
    if not work.owner.items() <= tags.items():
        return
    versions = work.s3.list_object_versions(Bucket=name, MaxKeys=1)
    if versions.get("Versions") or versions.get("DeleteMarkers"):
        work.changes.append(Change(action="keep", kind="bucket", name=name, detail="it holds backups"))
    elif work.note(Change(action="remove", kind="bucket", name=name)):
        work.s3.delete_bucket(Bucket=name)
