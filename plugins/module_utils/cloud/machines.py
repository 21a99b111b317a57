# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances with encrypted volumes and a metadata service that asks for a token, and their fixed addresses."""

from __future__ import annotations

__all__ = ["RUNNING", "apply_address", "apply_key", "apply_machine", "ipv6_of", "place_address"]

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Literal

from .model import Change, CloudError

if TYPE_CHECKING:
    from .model import Machine
    from .work import Work

# The account of Debian's own images: https://wiki.debian.org/Cloud/AmazonEC2Image/Trixie
DEBIAN = "136693071363"
IMAGE = "debian-13-amd64-*"
RUNNING = ["pending", "running", "stopping", "stopped"]
METADATA = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}


def apply_key(work: Work) -> str:
    """The name of the key for the first contact; it is replaced when the declared one is another."""
    name = f"{work.wanted.environment}-first-contact"
    digest = hashlib.sha256(base64.b64decode(work.wanted.public_key.split()[1])).hexdigest()[:32]
    found = work.find("describe_key_pairs", "KeyPairs", "first-contact")
    tagged = {tag["Key"]: tag["Value"] for entry in found for tag in entry["Tags"]}
    if found and tagged.get("art32_key") == digest:
        return name
    action: Literal["change", "create"] = "change" if found else "create"
    if work.note(Change(action=action, kind="key", name="first-contact", detail="for the first login only")):
        if found:
            work.ec2.delete_key_pair(KeyName=name)
        work.ec2.import_key_pair(
            KeyName=name,
            PublicKeyMaterial=work.wanted.public_key.encode(),
            TagSpecifications=work.specification("key-pair", "first-contact", art32_key=digest),
        )
    return name


def apply_address(work: Work, machine: Machine) -> dict[str, Any]:
    """A machine's fixed address; empty while it is only planned."""
    found = work.find("describe_addresses", "Addresses", machine.name)
    if found:
        return dict(found[0])
    if not work.note(Change(action="create", kind="address", name=machine.name)):
        return {}
    return dict(
        work.ec2.allocate_address(Domain="vpc", TagSpecifications=work.specification("elastic-ip", machine.name))
    )


def place_address(work: Work, machine: Machine, address: dict[str, Any], instance: str) -> None:
    """Let the address lead to the instance."""
    if address.get("InstanceId") == instance and instance:
        return
    if work.note(Change(action="change", kind="address", name=machine.name, detail="leads to the instance")):
        work.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)


def ipv6_of(work: Work, machine: Machine) -> list[str]:
    """The IPv6 addresses of a machine's instance; none while it is only planned."""
    return [
        str(entry["Ipv6Address"])
        for instance in _running(work, machine)
        for interface in instance.get("NetworkInterfaces", ())
        for entry in interface.get("Ipv6Addresses", ())
    ]


def apply_machine(work: Work, machine: Machine, place: tuple[str, str], key: str) -> str:
    """The id of a machine's instance in a subnet with a security group; empty while it is only planned."""
    subnet, group = place
    found = _running(work, machine)
    if found:
        _correct(work, machine, found[0], group)
        return str(found[0]["InstanceId"])
    detail = f"{machine.instance_type}, {machine.volume_gib} GiB encrypted, metadata by token only"
    if not work.note(Change(action="create", kind="instance", name=machine.name, detail=detail)):
        return ""
    image = _image(work)
    volume = {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": machine.volume_gib, "DeleteOnTermination": True}
    named = {"art32_host": machine.name}
    made = work.ec2.run_instances(
        ImageId=image["ImageId"],
        InstanceType=machine.instance_type,
        KeyName=key,
        MinCount=1,
        MaxCount=1,
        DisableApiTermination=True,
        MetadataOptions=METADATA,
        BlockDeviceMappings=[{"DeviceName": image.get("RootDeviceName") or "/dev/xvda", "Ebs": volume}],
        SubnetId=subnet,
        SecurityGroupIds=[group],
        Ipv6AddressCount=1,
        TagSpecifications=[
            *work.specification("instance", machine.name, **named),
            *work.specification("volume", machine.name, **named),
        ],
    )["Instances"][0]["InstanceId"]
    work.ec2.get_waiter("instance_running").wait(InstanceIds=[made])
    return str(made)


def _running(work: Work, machine: Machine) -> list[dict[str, Any]]:
    return [
        instance
        for reservation in work.find("describe_instances", "Reservations", machine.name)
        for instance in reservation["Instances"]
        if instance["State"]["Name"] in RUNNING
    ]


def _correct(work: Work, machine: Machine, found: dict[str, Any], group: str) -> None:
    """Bring an instance back to what was promised of it; what cannot be brought back is refused."""
    instance = found["InstanceId"]
    loaded = {name: found.get("MetadataOptions", {}).get(name) for name in METADATA}
    if loaded != METADATA and work.note(
        Change(action="change", kind="instance", name=machine.name, detail="metadata by token only")
    ):
        work.ec2.modify_instance_metadata_options(InstanceId=instance, **METADATA)
    groups = [entry["GroupId"] for entry in found["SecurityGroups"]]
    if groups != [group] and work.note(
        Change(action="change", kind="instance", name=machine.name, detail=f"security group {group} alone")
    ):
        work.ec2.modify_instance_attribute(InstanceId=instance, Groups=[group])
    if found["InstanceType"] != machine.instance_type:
        detail = f"{found['InstanceType']} instead of {machine.instance_type}; stop it and change its type"
        work.changes.append(Change(action="keep", kind="instance", name=machine.name, detail=detail))
    attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
    plain = [
        volume["VolumeId"]
        for volume in work.ec2.describe_volumes(Filters=attached)["Volumes"]
        if not volume["Encrypted"]
    ]
    if plain:
        raise CloudError(
            f"{machine.name} ({instance}) has unencrypted volumes: {', '.join(plain)}. AWS cannot encrypt them in "
            "place; replace them by encrypted copies, or make the machine anew and restore its backup."
        )


def _image(work: Work) -> dict[str, Any]:
    """The declared image, or the newest of Debian's own."""
    if work.wanted.image:
        images = work.ec2.describe_images(ImageIds=[work.wanted.image])["Images"]
    else:
        wanted = [{"Name": "name", "Values": [IMAGE]}, {"Name": "state", "Values": ["available"]}]
        images = work.ec2.describe_images(Owners=[DEBIAN], Filters=wanted)["Images"]
    if not images:
        raise CloudError(f"{work.wanted.region} has no image {work.wanted.image or IMAGE} (cloud_image)")
    found: list[dict[str, Any]] = sorted(images, key=lambda image: str(image.get("CreationDate", "")))
    return found[-1]
