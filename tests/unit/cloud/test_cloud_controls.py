"""LOC-1, NET-1 and NET-2 against what AWS itself says, with the thing broken once."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.art32.server.plugins.module_utils.cloud.site import apply, snapshot
from ansible_collections.art32.server.plugins.module_utils.cloud.work import Work

from controls import test_location, test_network
from controls.evidence import NotAssessedError, Store

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.art32.server.plugins.module_utils.cloud.model import Declaration

    from controls.environment import Environment
    from controls.machine import Machine

Client = Any


@dataclass
class Declared:
    """What the checks read of an environment."""

    values: dict[str, Any]
    ports: list[dict[str, Any]]
    name: str = "production"

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as declared
        """A declared variable's value."""
        return self.values.get(name, default)

    def exposure(self, _: str) -> list[dict[str, Any]]:
        """The ports of the one host."""
        return self.ports


@dataclass
class OneMachine:
    """What the checks read of a machine that cannot be reached from here."""

    lab: Any
    addresses: list[str]
    name: str = "server"

    def variable(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as declared
        """A declared variable's value."""
        return self.lab.environment.get(name, default)


@dataclass
class OneLab:
    """An environment and the store of its evidence."""

    environment: Declared
    store: Store = field(init=False)


@pytest.fixture
def server(wanted: Declaration, ec2: Client, s3: Client, tmp_path: Path) -> Machine:
    work = Work(wanted=wanted, ec2=ec2, s3=s3, dry=False)
    apply(work)
    snapshot(work, keep=2)
    given = {"server": [entry["PublicIp"] for entry in work.find("describe_addresses", "Addresses", "server")]}
    rules = wanted.rules("server", given | _others(work))
    ports = [{"proto": rule.proto, "port": rule.first, "sources": [rule.network]} for rule in rules]
    values = {
        "cloud_provider": "aws",
        "art32_region": wanted.region,
        "cloud_bucket": wanted.bucket,
        "network_management": list(wanted.management),
    }
    lab = OneLab(Declared(values, ports))
    lab.store = Store(tmp_path)
    return cast("Machine", OneMachine(lab, given["server"]))


def _others(work: Work) -> dict[str, list[str]]:
    [found] = work.find("describe_instances", "Reservations", "backup")
    interfaces = found["Instances"][0]["NetworkInterfaces"]
    ipv6 = [entry["Ipv6Address"] for interface in interfaces for entry in interface["Ipv6Addresses"]]
    return {"backup": [*(entry["PublicIp"] for entry in work.find("describe_addresses", "Addresses", "backup")), *ipv6]}


def declaration(machine: Machine) -> Environment:
    return machine.lab.environment


def open_port(ec2: Client, source: str) -> None:
    [group] = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": ["production-server"]}])[
        "SecurityGroups"
    ]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": source}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])


def test_everything_is_in_the_region(server: Machine) -> None:
    test_location.test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(server)
    kept = (server.lab.store.directory / "raw" / "aws" / "snapshots.txt").read_text(encoding="utf-8")
    assert "snap-" in kept


def test_a_snapshot_elsewhere_is_found(server: Machine, endpoint: str) -> None:
    boto3: Any = import_module("boto3")
    elsewhere = boto3.client("ec2", region_name="us-east-1", endpoint_url=endpoint)
    volume = elsewhere.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    tags = [{"Key": "art32_environment", "Value": "production"}]
    specification = [{"ResourceType": "snapshot", "Tags": tags}]
    copy = elsewhere.create_snapshot(VolumeId=volume, TagSpecifications=specification)["SnapshotId"]
    with pytest.raises(AssertionError, match=rf"Not in eu-central-1 \(art32_region\): snapshot {copy} in us-east-1\."):
        test_location.test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(server)


def test_security_groups_are_exact(server: Machine) -> None:
    test_network.test_security_group_equals_the_declaration(server, declaration(server))
    test_network.test_security_group_opens_the_database_to_the_management_only(server, declaration(server))


def test_a_port_that_somebody_opened_is_found(server: Machine, ec2: Client) -> None:
    open_port(ec2, "0.0.0.0/0")
    with pytest.raises(AssertionError, match=r"lets in what is not declared: tcp/5432 from 0.0.0.0/0"):
        test_network.test_security_group_equals_the_declaration(server, declaration(server))
    with pytest.raises(AssertionError, match=r"opens port 5432 to 0.0.0.0/0"):
        test_network.test_security_group_opens_the_database_to_the_management_only(server, declaration(server))


def test_without_an_account_nothing_is_met(server: Machine) -> None:
    cast("Declared", declaration(server)).values["cloud_provider"] = "none"
    with pytest.raises(NotAssessedError, match="no cloud account is declared"):
        test_location.test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(server)
    with pytest.raises(NotAssessedError, match="no cloud account is declared"):
        test_network.test_security_group_equals_the_declaration(server, declaration(server))


def test_an_aws_that_does_not_answer_is_no_proof(server: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(NotAssessedError, match="AWS does not answer"):
        test_location.test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(server)
