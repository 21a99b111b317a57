"""What is made on AWS, and what becomes of it when something goes wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.cloud import machines, site
from ansible_collections.art32.server.plugins.module_utils.cloud.bucket import SHUT, policy_of
from ansible_collections.art32.server.plugins.module_utils.cloud.model import CloudError, Declaration, loaded_rules
from ansible_collections.art32.server.plugins.module_utils.cloud.work import Work

# The clients of boto3 have no types.
Client = Any


def work_on(wanted: Declaration, ec2: Client, s3: Client, *, dry: bool = False) -> Work:
    return Work(wanted=wanted, ec2=ec2, s3=s3, dry=dry)


def apply(wanted: Declaration, ec2: Client, s3: Client, *, dry: bool = False) -> list[str]:
    work = work_on(wanted, ec2, s3, dry=dry)
    site.apply(work)
    return [str(change) for change in work.changes]


def group(ec2: Client, host: str) -> dict[str, Any]:
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": [f"production-{host}"]}])
    return dict(found["SecurityGroups"][0])


def rules(ec2: Client, host: str) -> list[str]:
    return sorted(map(str, loaded_rules(group(ec2, host)["IpPermissions"])))


def running(ec2: Client) -> dict[str, dict[str, Any]]:
    found = [item for entry in ec2.describe_instances()["Reservations"] for item in entry["Instances"]]
    alive = [item for item in found if item["State"]["Name"] == "running"]
    return {next(tag["Value"] for tag in item["Tags"] if tag["Key"] == "art32_host"): item for item in alive}


def test_the_plan_of_an_empty_account_is_what_is_then_done_and_changes_nothing(
    wanted: Declaration, ec2: Client, s3: Client
) -> None:
    plan = apply(wanted, ec2, s3, dry=True)
    assert running(ec2) == {}
    assert s3.list_buckets()["Buckets"] == []
    assert "create VPC network: 10.32.0.0/24" in plan
    assert "create rule server from: tcp/5432 198.51.100.5/32" in plan
    assert "create instance server: t3.small, 20 GiB encrypted, metadata by token only" in plan
    assert "create bucket provider-production-backups: object lock, in eu-central-1" in plan
    done = apply(wanted, ec2, s3)
    assert set(plan) <= set(done)
    assert apply(wanted, ec2, s3) == []
    assert apply(wanted, ec2, s3, dry=True) == []


def test_machines_are_as_promised(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    found = running(ec2)
    assert sorted(found) == ["backup", "server"]
    addresses = {entry["InstanceId"]: entry["PublicIp"] for entry in ec2.describe_addresses()["Addresses"]}
    for instance in found.values():
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["Placement"]["AvailabilityZone"].startswith(wanted.region)
        assert instance["PublicIpAddress"] == addresses[instance["InstanceId"]]
    volumes = ec2.describe_volumes()["Volumes"]
    assert len(volumes) == len(found)
    assert all(volume["Encrypted"] for volume in volumes)


def test_security_groups_equal_the_declaration_and_stale_rules_go(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    backup = running(ec2)["backup"]["PublicIpAddress"]
    declared = [
        *("tcp/22 0.0.0.0/0", "tcp/22 ::/0", "tcp/443 0.0.0.0/0", "tcp/443 ::/0"),
        *("tcp/5432 198.51.100.5/32", "tcp/5432 2001:db8:32::5/128", f"tcp/9100 {backup}/32"),
    ]
    assert [rule for rule in rules(ec2, "server") if "9100" not in rule or "." in rule] == declared
    assert rules(ec2, "backup") == ["tcp/22 0.0.0.0/0", "tcp/22 ::/0"]
    stale = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group(ec2, "server")["GroupId"], IpPermissions=[stale])
    fewer = replace(wanted, exposure=[entry for entry in wanted.exposure if entry["service"] != "metrics"])
    plan = apply(fewer, ec2, s3, dry=True)
    assert "remove rule server from: tcp/5432 0.0.0.0/0" in plan
    assert f"remove rule server from: tcp/9100 {backup}/32" in plan
    assert apply(fewer, ec2, s3) == plan
    assert rules(ec2, "server") == declared[:-1]


def test_the_bucket_keeps_what_it_is_given(wanted: Declaration, s3: Client, ec2: Client) -> None:
    apply(wanted, ec2, s3)
    bucket = {"Bucket": wanted.bucket}
    assert s3.get_bucket_location(**bucket)["LocationConstraint"] == wanted.region
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    assert s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"] == SHUT
    lock = s3.get_object_lock_configuration(**bucket)["ObjectLockConfiguration"]
    assert {"Mode": "COMPLIANCE", "Days": 30}.items() <= lock["Rule"]["DefaultRetention"].items()
    [statement] = policy_of(wanted.bucket)["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    s3.delete_public_access_block(**bucket)
    s3.delete_bucket_policy(**bucket)
    assert apply(wanted, ec2, s3) == [
        "change bucket provider-production-backups: no public access",
        "change bucket provider-production-backups: TLS only",
    ]


def test_an_instance_that_was_opened_is_corrected(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    instance = running(ec2)["server"]["InstanceId"]
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="optional")
    default = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    ec2.modify_instance_attribute(InstanceId=instance, Groups=[group(ec2, "server")["GroupId"], default])
    assert apply(wanted, ec2, s3) == [
        "change instance server: metadata by token only",
        f"change instance server: security group {group(ec2, 'server')['GroupId']} alone",
    ]
    assert apply(wanted, ec2, s3) == []


def test_an_unencrypted_volume_is_refused(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    instance = running(ec2)["server"]
    zone = instance["Placement"]["AvailabilityZone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=False)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instance["InstanceId"], Device="/dev/sdf")
    with pytest.raises(CloudError, match=f"has unencrypted volumes: {volume}"):
        apply(wanted, ec2, s3)


class Broken:
    """A client that fails at its nth changing call."""

    def __init__(self, client: Client, after: int) -> None:
        """Let this many changing calls through."""
        self._client, self._left = client, after

    def __getattr__(self, name: str) -> Client:
        """The client's own call, counted when it changes something."""
        call = getattr(self._client, name)
        if not name.startswith(("create_", "run_", "allocate_", "associate_", "authorize_", "attach_", "import_")):
            return call

        def counted(**arguments: object) -> Client:
            self._left -= 1
            if self._left < 0:
                raise ConnectionError(name)
            return call(**arguments)

        return counted


@pytest.mark.parametrize("after", [0, 5, 11, 17])
def test_a_pass_that_broke_off_is_taken_up_and_nothing_is_made_twice(
    after: int, wanted: Declaration, ec2: Client, s3: Client
) -> None:
    with pytest.raises(ConnectionError):
        site.apply(Work(wanted=wanted, ec2=Broken(ec2, after), s3=s3, dry=False))
    apply(wanted, ec2, s3)
    assert apply(wanted, ec2, s3) == []
    own = work_on(wanted, ec2, s3)
    for call, key, count in (
        ("describe_vpcs", "Vpcs", 1),
        ("describe_subnets", "Subnets", 1),
        ("describe_internet_gateways", "InternetGateways", 1),
        ("describe_addresses", "Addresses", 2),
        ("describe_security_groups", "SecurityGroups", 2),
        ("describe_key_pairs", "KeyPairs", 1),
    ):
        assert len(own.find(call, key)) == count, key
    assert len(running(ec2)) == 2


def test_only_what_was_made_is_ended(wanted: Declaration, ec2: Client, s3: Client) -> None:
    other = replace(wanted, environment="staging", bucket="provider-staging-backups", network="10.33.0.0/24")
    before = len(ec2.describe_vpcs()["Vpcs"])
    apply(other, ec2, s3)
    after = len(ec2.describe_vpcs()["Vpcs"])
    apply(wanted, ec2, s3)
    work = work_on(wanted, ec2, s3, dry=True)
    site.end(work)
    assert len(work.find("describe_addresses", "Addresses")) == 2
    work = work_on(wanted, ec2, s3)
    site.end(work)
    assert "remove bucket provider-production-backups" in [str(change) for change in work.changes]
    for call, key in (
        ("describe_vpcs", "Vpcs"),
        ("describe_addresses", "Addresses"),
        ("describe_key_pairs", "KeyPairs"),
    ):
        assert work.find(call, key) == []
    assert len(ec2.describe_vpcs()["Vpcs"]) == after == before + 1
    assert apply(other, ec2, s3) == []
    again = work_on(wanted, ec2, s3)
    site.end(again)
    assert again.changes == []


def test_a_bucket_with_backups_stays(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    with pytest.raises(s3.exceptions.ClientError, match="403"):  # the test's endpoint has no TLS
        s3.put_object(Bucket=wanted.bucket, Key="backup", Body=b"x")
    s3.delete_bucket_policy(Bucket=wanted.bucket)
    s3.put_object(Bucket=wanted.bucket, Key="backup", Body=b"x")
    work = work_on(wanted, ec2, s3)
    site.end(work)
    assert "keep bucket provider-production-backups: it holds backups" in [str(change) for change in work.changes]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [wanted.bucket]


def test_a_bucket_elsewhere_is_refused(wanted: Declaration, ec2: Client, s3: Client, s3_elsewhere: Client) -> None:
    s3_elsewhere.create_bucket(Bucket=wanted.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    with pytest.raises(CloudError, match="is in eu-west-2, not in eu-central-1"):
        apply(wanted, ec2, s3, dry=True)


def test_an_existing_subnet_is_used_and_stays(wanted: Declaration, ec2: Client, s3: Client) -> None:
    subnet = ec2.describe_subnets()["Subnets"][0]
    apply(replace(wanted, subnet_id=subnet["SubnetId"]), ec2, s3)
    assert {instance["SubnetId"] for instance in running(ec2).values()} == {subnet["SubnetId"]}
    site.end(work_on(wanted, ec2, s3))
    assert subnet["SubnetId"] in [entry["SubnetId"] for entry in ec2.describe_subnets()["Subnets"]]


def test_snapshots_are_taken_and_the_oldest_go(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    for _ in range(4):
        site.snapshot(work_on(wanted, ec2, s3), keep=2)
    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=work_on(wanted, ec2, s3).own())["Snapshots"]
    assert len(found) == 2 * 2
    assert all(entry["Encrypted"] for entry in found)


def test_the_first_key_is_replaced_when_it_is_another(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    other = replace(wanted, public_key=wanted.public_key.replace("qjz9", "qjz8"))
    assert apply(other, ec2, s3) == ["change key first-contact: for the first login only"]
    assert apply(other, ec2, s3) == []


def test_without_an_image_the_region_is_named(wanted: Declaration, ec2: Client, s3: Client) -> None:
    with pytest.raises(CloudError, match=r"eu-central-1 has no image debian-13-amd64-\* \(cloud_image\)"):
        apply(replace(wanted, image=""), ec2, s3)
    assert machines.RUNNING


def test_everything_that_is_made_says_whose_it_is(wanted: Declaration, ec2: Client, s3: Client) -> None:
    apply(wanted, ec2, s3)
    tags = {(item["ResourceId"], item["Key"]): item["Value"] for item in ec2.describe_tags()["Tags"]}
    made = {identity for identity, key in tags if key == "art32_made_by"}
    kinds = {identity.rpartition("-")[0] for identity in made}
    assert kinds == {"vpc", "subnet", "igw", "rtb", "key", "eipalloc", "sg", "i", "vol"}
    assert {tags[identity, "art32_environment"] for identity in made} == {"production"}
    own = {item["Key"]: item["Value"] for item in s3.get_bucket_tagging(Bucket=wanted.bucket)["TagSet"]}
    assert own.items() >= {"art32_environment": "production"}.items()
    assert "art32_made_by" in own
