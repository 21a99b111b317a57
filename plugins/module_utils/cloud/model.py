# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wanted, and the words for what differs."""

from __future__ import annotations

__all__ = [
    "EVERYTHING_OUT",
    "Change",
    "CloudError",
    "Declaration",
    "GroupRule",
    "Machine",
    "declaration_of",
    "loaded_rules",
    "permission_of",
    "rules_of",
]

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.art32.server.plugins.module_utils.declaration.network import exposure
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
ALL_PROTOCOLS = "-1"
# Stands for an address that AWS has not given yet (RFC 7600's dummy address); rules with it are left out.
NOT_YET = "192.0.0.8/32"


class CloudError(Exception):
    """What is there cannot become what is declared; the message says what it is and what to do."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between the account and the declaration."""

    action: Literal["create", "change", "remove", "keep"]
    kind: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        """A line of the plan."""
        return f"{self.action} {self.kind} {self.name}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True, order=True)
class GroupRule:
    """What a security group lets through: a protocol, its ports, and one network."""

    proto: str
    first: int
    last: int
    network: str

    def __str__(self) -> str:
        """As network_exposure has it."""
        if self.proto == ALL_PROTOCOLS:
            return f"everything {self.network}"
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.proto}/{ports} {self.network}"


EVERYTHING_OUT = frozenset({GroupRule(ALL_PROTOCOLS, -1, -1, network) for network in ("0.0.0.0/0", "::/0")})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One instance with its address and its security group."""

    name: str
    instance_type: str
    volume_gib: int


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Everything that an environment has on AWS."""

    environment: str
    region: str
    machines: tuple[Machine, ...]
    image: str
    network: str
    subnet_id: str
    public_key: str
    bucket: str
    lock_days: int
    management: Sequence[str]
    exposure: Sequence[Mapping[str, Any]]
    groups: Mapping[str, Sequence[str]]
    addresses: Mapping[str, Sequence[str]]

    def rules(self, host: str, given: Mapping[str, Sequence[str]]) -> frozenset[GroupRule]:
        """The rules of a host's group, with the addresses that AWS has given so far."""
        known = {name: given.get(name) or self.addresses.get(name) or [NOT_YET] for name in self.groups["all"]}
        hostvars = {name: {"network_addresses": list(addresses)} for name, addresses in known.items()}
        found = rules_of(exposure(self.exposure, self.management, self.groups, host, hostvars))
        return frozenset(rule for rule in found if rule.network != NOT_YET)


def declaration_of(arguments: Mapping[str, Any]) -> Declaration:
    """The declaration that a module's arguments make.

    Raises DeclarationError when a region is not allowed or a name impossible.
    """
    region, allowed = arguments["region"], arguments["regions_allowed"]
    problems = []
    if region not in allowed:
        said = f"{' or '.join(allowed)} (art32_regions_allowed)"
        problems.append(Problem(variable="art32_region", value=region, allowed=said))
    if not BUCKET.fullmatch(arguments["bucket"]):
        said = "3 to 63 lower-case letters, digits and dashes"
        problems.append(Problem(variable="cloud_bucket", value=arguments["bucket"], allowed=said))
    if problems:
        raise DeclarationError(problems)
    machines = [
        Machine(
            name=machine["name"],
            instance_type=machine["instance_type"],
            volume_gib=machine["volume_gib"],
        )
        for machine in arguments["machines"]
    ]
    return Declaration(
        environment=arguments["environment"],
        region=region,
        machines=tuple(machines),
        image=arguments["image"],
        network=arguments["network"],
        subnet_id=arguments["subnet_id"],
        public_key=arguments["public_key"].strip(),
        bucket=arguments["bucket"],
        lock_days=arguments["lock_days"],
        management=arguments["management"],
        exposure=arguments["exposure"],
        groups=arguments["groups"],
        addresses=arguments["addresses"],
    )


def rules_of(ports: Iterable[Mapping[str, Any]]) -> frozenset[GroupRule]:
    """The rules that a host's open ports stand for, as the filter exposure gives them."""
    return frozenset(
        GroupRule(entry["proto"], entry["port"], entry["port"], source)
        for entry in ports
        for source in entry["sources"]
    )


def loaded_rules(permissions: Iterable[Mapping[str, Any]]) -> frozenset[GroupRule]:
    """The rules of a security group as AWS tells them; a source that is no network keeps its id."""
    found = set()
    for entry in permissions:
        networks = [item["CidrIp"] for item in entry.get("IpRanges", ())]
        networks += [item["CidrIpv6"] for item in entry.get("Ipv6Ranges", ())]
        networks += [item["GroupId"] for item in entry.get("UserIdGroupPairs", ())]
        networks += [item["PrefixListId"] for item in entry.get("PrefixListIds", ())]
        ports = entry.get("FromPort", -1), entry.get("ToPort", -1)
        found |= {GroupRule(entry["IpProtocol"], *ports, network) for network in networks}
    return frozenset(found)


def permission_of(rule: GroupRule) -> dict[str, Any]:
    """A rule in the words of AWS's API."""
    entry: dict[str, Any] = {"IpProtocol": rule.proto}
    if rule.proto != ALL_PROTOCOLS:
        entry |= {"FromPort": rule.first, "ToPort": rule.last}
    if rule.network.startswith("sg-"):
        return entry | {"UserIdGroupPairs": [{"GroupId": rule.network}]}
    if rule.network.startswith("pl-"):
        return entry | {"PrefixListIds": [{"PrefixListId": rule.network}]}
    key, name = ("Ipv6Ranges", "CidrIpv6") if ":" in rule.network else ("IpRanges", "CidrIp")
    return entry | {key: [{name: rule.network}]}
