"""The machines on AWS, as an operator meets them. The endpoint is moto's server behind TLS."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.cloud import site
from ansible_collections.art32.server.plugins.module_utils.cloud.model import Declaration, Machine, loaded_rules
from ansible_collections.art32.server.plugins.module_utils.cloud.work import Work, client_of

from controls import test_location
from controls.evidence import Store
from controls.machine import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment

# Neither boto3 nor its clients have types.
Client = Any
boto3: Any = import_module("boto3")

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
ELSEWHERE = "us-east-1"
SECONDS = 240
PLANNED = "create instance server: t3.small, 20 GiB encrypted, metadata by token only"
# More changing calls than an environment of one machine takes.
CALLS = 60


@pytest.fixture(scope="module")
def directory(declaration: Environment) -> Path:
    return declaration.directory


@pytest.fixture(scope="module")
def aws(directory: Path) -> Path:
    """Where the endpoint keeps its files."""
    return directory.parent / "aws"


@pytest.fixture
def fault(aws: Path) -> Iterator[Callable[[int, str], None]]:
    """Let so many changing calls through, and then fail."""
    file = aws / "fault"

    def arm(after: int, kind: str) -> None:
        file.write_text(json.dumps({"after": after, "kind": kind}), encoding="utf-8")

    yield arm
    file.unlink(missing_ok=True)


def ec2_in(region: str) -> Client:
    return boto3.client("ec2", region_name=region)


def run(*command: str, **settings: str) -> tuple[int, str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0", **settings}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS
    )
    return done.returncode, done.stdout + done.stderr


def cloud(directory: Path, *words: str, **settings: str) -> tuple[int, str]:
    return run("ansible-playbook", "-i", str(directory), "playbooks/cloud.yml", *words, **settings)


def hostvars(directory: Path) -> dict[str, Any]:
    code, said = run("ansible-inventory", "-i", str(directory), "--list")
    assert code == 0, said
    decoder = json.JSONDecoder(object_hook=lambda item: item.get("__ansible_unsafe", item))
    return dict(decoder.raw_decode(said)[0]["_meta"]["hostvars"])


def group(host: str) -> dict[str, Any]:
    found = ec2_in(REGION).describe_security_groups(Filters=[{"Name": "tag:Name", "Values": [f"cloud-{host}"]}])
    return dict(found["SecurityGroups"][0])


def alive(environment: str = "cloud") -> list[str]:
    wanted = [{"Name": "tag:art32_environment", "Values": [environment]}]
    found = ec2_in(REGION).describe_instances(Filters=wanted)["Reservations"]
    instances = [item for entry in found for item in entry["Instances"]]
    return [item["InstanceId"] for item in instances if item["State"]["Name"] == "running"]


def test_the_machines_are_found_by_the_dynamic_inventory(directory: Path) -> None:
    found = hostvars(directory)
    assert sorted(found) == ["backup", "server"]
    for host in found.values():
        assert host["network_addresses"][0] == host["ansible_host"]
        assert ":" in host["network_addresses"][1]
    code, said = run("ansible-playbook", "-i", str(directory), "playbooks/check.yml")
    assert code == 0, said


def test_a_second_run_changes_nothing_and_warns_of_nothing(directory: Path) -> None:
    code, said = cloud(directory)
    assert code == 0, said
    assert "Nothing differs." in said
    assert "changed=0" in said
    assert "[WARNING]" not in said.replace("[WARNING]: Deprecation warnings can be disabled", ""), said


def test_an_endpoint_that_nobody_trusts_is_refused(directory: Path) -> None:
    code, said = cloud(directory, "--check", AWS_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt")
    assert code == 2
    assert "SSL validation failed" in said


def test_a_stale_rule_goes_and_a_declared_one_comes_back(directory: Path) -> None:
    ec2, identity = ec2_in(REGION), group("server")["GroupId"]
    before = loaded_rules(group("server")["IpPermissions"])
    world = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=identity, IpPermissions=[world])
    ec2.revoke_security_group_ingress(GroupId=identity, IpPermissions=[https])
    assert loaded_rules(group("server")["IpPermissions"]) != before
    code, said = cloud(directory)
    assert code == 0, said
    assert "remove rule server from: tcp/5432 0.0.0.0/0" in said
    assert "create rule server from: tcp/443 0.0.0.0/0" in said
    assert loaded_rules(group("server")["IpPermissions"]) == before


def test_a_bucket_that_was_opened_is_shut_again_and_keeps_what_it_has(
    directory: Path, declaration: Environment
) -> None:
    s3, name = boto3.client("s3", region_name=REGION), declaration.get("cloud_bucket")
    s3.delete_bucket_policy(Bucket=name)
    s3.delete_public_access_block(Bucket=name)
    s3.put_object(Bucket=name, Key="backup", Body=b"x")
    code, said = cloud(directory)
    assert code == 0, said
    assert f"change bucket {name}: TLS only" in said
    assert f"change bucket {name}: no public access" in said
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())


def test_snapshots_are_taken_by_the_playbook(directory: Path) -> None:
    for _ in range(2):
        code, said = cloud(directory, "-e", "cloud_state=snapshot", "-e", "cloud_snapshots=1")
        assert code == 0, said
    mine = [{"Name": "tag:art32_environment", "Values": ["cloud"]}]
    found = ec2_in(REGION).describe_snapshots(OwnerIds=["self"], Filters=mine)["Snapshots"]
    assert len(found) == 2
    assert all(item["Encrypted"] for item in found)


@pytest.fixture
def asking(declaration: Environment, tmp_path: Path) -> Iterator[Lab]:
    """A lab that has asked nothing yet."""
    fresh = Lab(declaration, Store(tmp_path))
    yield fresh
    fresh.connections.close()


def where_everything_is(asking: Lab) -> None:
    test_location.test_instance_volumes_snapshots_and_bucket_are_in_the_declared_region(asking.machine("server"))


def test_instances_volumes_snapshots_and_bucket_are_in_the_region(asking: Lab) -> None:
    where_everything_is(asking)
    kept = {path.stem: path.read_text(encoding="utf-8") for path in (asking.store.directory / "raw" / "aws").iterdir()}
    for name, mark in {"instances": "i-", "volumes": "vol-", "snapshots": "snap-", "bucket": REGION}.items():
        assert mark in kept[name]


@pytest.mark.parametrize("kind", ["instance", "volume", "snapshot", "bucket"])
def test_what_is_elsewhere_is_found(kind: str, asking: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2 = ec2_in(ELSEWHERE)
    tags = [{"Key": "art32_environment", "Value": "cloud"}]
    specification = {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}
    if kind == "instance":
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **specification)["Instances"][0]["InstanceId"]
    elif kind == "bucket":
        made = "provider-cloud-elsewhere"
        boto3.client("s3", region_name=ELSEWHERE).create_bucket(Bucket=made)
        # AWS lists machines in any order, and what an environment has once is asked of the first.
        for host in asking.environment.managed:
            monkeypatch.setitem(asking.environment.hostvars[host], "cloud_bucket", made)
    else:
        own = specification if kind == "volume" else {}
        volume = ec2.create_volume(AvailabilityZone=f"{ELSEWHERE}a", Size=1, **own)["VolumeId"]
        made = volume if kind == "volume" else ec2.create_snapshot(VolumeId=volume, **specification)["SnapshotId"]
    with pytest.raises(AssertionError, match=rf"Not in {REGION} \(art32_region\): .*{kind} {made} in {ELSEWHERE}"):
        where_everything_is(asking)
    if kind == "instance":
        ec2.terminate_instances(InstanceIds=[made])


def test_a_region_that_is_not_allowed_is_refused_before_aws_is_asked(directory: Path, aws: Path) -> None:
    log = aws / "log"
    before = log.read_text(encoding="utf-8").count("POST")
    inventory = ["-i", str(directory / "hosts.yml"), "-e", f"@{directory}/group_vars/all/cloud.yml"]
    code, said = run("ansible-playbook", *inventory, "playbooks/cloud.yml", "-e", f"art32_region={ELSEWHERE}")
    assert code == 2
    assert f"art32_region: {ELSEWHERE} is not allowed; {REGION} (art32_regions_allowed)" in said
    assert log.read_text(encoding="utf-8").count("POST") == before


def test_only_what_was_made_is_ended_and_only_when_named(directory: Path, aws: Path) -> None:
    other = declared("staging", aws)
    work_on(other)
    foreign = ec2_in(REGION).create_security_group(GroupName="foreign", Description="of somebody else")["GroupId"]
    before = alive(), alive("staging")
    for words in ([], ["-e", "confirm=staging"]):
        code, said = cloud(directory, "-e", "cloud_state=absent", *words)
        assert code == 2
        assert "is not allowed; cloud, the environment that is to end (-e confirm=...)" in said
    assert (alive(), alive("staging")) == before
    code, said = cloud(directory, "-e", "cloud_state=absent", "-e", "confirm=cloud")
    assert code == 0, said
    assert "keep bucket provider-cloud-backups: it holds backups" in said
    assert (alive(), alive("staging")) == ([], before[1])
    assert "network_addresses" not in hostvars(directory)["server"]
    assert ec2_in(REGION).describe_security_groups(GroupIds=[foreign])["SecurityGroups"]
    assert work_on(other) == []


@pytest.mark.parametrize("after", [13])
def test_a_run_that_broke_off_is_completed_by_the_next(
    after: int, directory: Path, aws: Path, fault: Callable[[int, str], None]
) -> None:
    code, said = cloud(directory, "-e", "cloud_state=absent", "-e", "confirm=cloud")
    assert code == 0, said
    fault(after, "refused")
    code, said = cloud(directory)
    assert code == 2
    assert "Unavailable" in said
    (aws / "fault").unlink()
    code, said = cloud(directory)
    assert code == 0, said
    assert len(alive()) == 2
    code, said = cloud(directory)
    assert code == 0, said
    assert "Nothing differs." in said


def declared(name: str, aws: Path) -> Declaration:
    """A small environment of its own."""
    return Declaration(
        environment=name,
        region=REGION,
        machines=(Machine(name="server", instance_type="t3.small", volume_gib=8),),
        image=(aws / "image").read_text(encoding="utf-8"),
        network="10.33.0.0/24",
        subnet_id="",
        public_key=(aws.parent / "cloud" / "first_key.pub").read_text(encoding="utf-8").strip(),
        bucket=f"provider-{name}-backups",
        lock_days=1,
        management=["198.51.100.5/32"],
        exposure=[{"service": "ssh", "port": 22, "from": "anywhere", "on": "all"}],
        groups={"all": ["server"]},
        addresses={},
    )


def work_on(wanted: Declaration) -> list[str]:
    """One pass with the clients that the module has; what differed."""
    session = boto3.Session(region_name=REGION)
    work = Work(wanted=wanted, ec2=client_of(session, "ec2"), s3=client_of(session, "s3"), dry=False)
    site.apply(work)
    return [str(change) for change in work.changes]


def test_no_call_whose_answer_is_lost_makes_anything_twice(aws: Path, fault: Callable[[int, str], None]) -> None:
    """One changing call after another: AWS does what it was told, and the answer does not arrive."""
    errors: Any = import_module("botocore.exceptions")
    for number in range(0, CALLS, 2):
        wanted = declared(f"lost-{number}", aws)
        fault(number, "lost")
        with suppress(errors.ClientError):
            work_on(wanted)
        if (aws / "fault").exists():
            break
        work_on(wanted)
        assert work_on(wanted) == [], number
        session = boto3.Session(region_name=REGION)
        work = Work(wanted=wanted, ec2=client_of(session, "ec2"), s3=client_of(session, "s3"), dry=False)
        for call, key, name in (
            ("describe_vpcs", "Vpcs", "VpcId"),
            ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
            ("describe_route_tables", "RouteTables", "RouteTableId"),
            ("describe_addresses", "Addresses", "AllocationId"),
            ("describe_key_pairs", "KeyPairs", "KeyPairId"),
        ):
            assert len({item[name] for item in work.find(call, key)}) == 1, (number, key)
        assert len(alive(wanted.environment)) == 1, number
    assert number > 15
