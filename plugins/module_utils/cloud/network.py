# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network, subnet, the way out, and security groups that equal the declaration."""

from __future__ import annotations

__all__ = ["apply_group", "apply_network"]

from typing import TYPE_CHECKING

from .model import EVERYTHING_OUT, Change, CloudError, GroupRule, loaded_rules, permission_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .model import Machine
    from .work import Work

UNKNOWN = ""


def apply_network(work: Work) -> tuple[str, str]:
    """Ids of the network and the subnet, made where none is declared; empty while they are only planned."""
    if work.wanted.subnet_id:
        found = work.ec2.describe_subnets(SubnetIds=[work.wanted.subnet_id])["Subnets"][0]
        return found["VpcId"], found["SubnetId"]
    vpc = _vpc(work)
    subnet = _subnet(work, vpc)
    _way_out(work, vpc, subnet)
    return vpc, subnet


def apply_group(work: Work, machine: Machine, vpc: str, wanted: frozenset[GroupRule]) -> str:
    """The id of a machine's security group, whose rules are the declared ones and no others."""
    found = work.find("describe_security_groups", "SecurityGroups", machine.name) if vpc else []
    if found:
        group = found[0]["GroupId"]
        loaded = loaded_rules(found[0]["IpPermissions"]), loaded_rules(found[0]["IpPermissionsEgress"])
    else:
        group, loaded = UNKNOWN, (frozenset[GroupRule](), frozenset[GroupRule]())
        if work.note(Change(action="create", kind="security group", name=machine.name)):
            group = work.ec2.create_security_group(
                GroupName=f"{work.wanted.environment}-{machine.name}",
                Description=f"Ports of {machine.name}, from network_exposure",
                VpcId=vpc,
                TagSpecifications=work.specification("security-group", machine.name),
            )["GroupId"]
            [made] = work.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
            loaded = loaded_rules(made["IpPermissions"]), loaded_rules(made["IpPermissionsEgress"])
        else:
            loaded = loaded[0], EVERYTHING_OUT
    _equal(work, f"{machine.name} from", group, (loaded[0], wanted), INGRESS)
    _equal(work, f"{machine.name} to", group, (loaded[1], EVERYTHING_OUT), EGRESS)
    return str(group)


INGRESS = ("authorize_security_group_ingress", "revoke_security_group_ingress")
EGRESS = ("authorize_security_group_egress", "revoke_security_group_egress")


def _equal(
    work: Work,
    name: str,
    group: str,
    rules: tuple[Iterable[GroupRule], Iterable[GroupRule]],
    calls: tuple[str, str],
) -> None:
    """Open what is declared, then shut what is not: at no moment is a declared port shut."""
    loaded, wanted = map(frozenset, rules)
    for rule in sorted(wanted - loaded):
        if work.note(Change(action="create", kind="rule", name=name, detail=str(rule))):
            getattr(work.ec2, calls[0])(GroupId=group, IpPermissions=[permission_of(rule)])
    for rule in sorted(loaded - wanted):
        if work.note(Change(action="remove", kind="rule", name=name, detail=str(rule))):
            getattr(work.ec2, calls[1])(GroupId=group, IpPermissions=[permission_of(rule)])


def _vpc(work: Work) -> str:
    def make() -> str:
        made = work.ec2.create_vpc(
            CidrBlock=work.wanted.network,
            AmazonProvidedIpv6CidrBlock=True,
            TagSpecifications=work.specification("vpc", "network"),
        )["Vpc"]["VpcId"]
        work.ec2.get_waiter("vpc_available").wait(VpcIds=[made])
        return str(made)

    return _one(work, ("describe_vpcs", "Vpcs", "VpcId"), ("VPC", "network", work.wanted.network), make)


def _subnet(work: Work, vpc: str) -> str:
    def make() -> str:
        [found] = work.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        blocks = [entry["Ipv6CidrBlock"] for entry in found.get("Ipv6CidrBlockAssociationSet", ())]
        if not blocks:
            raise CloudError(f"{vpc} has no IPv6 network yet; run the playbook again")
        made = work.ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=work.wanted.network,
            Ipv6CidrBlock=f"{blocks[0].partition('/')[0]}/64",
            TagSpecifications=work.specification("subnet", "network"),
        )["Subnet"]["SubnetId"]
        return str(made)

    return _one(work, ("describe_subnets", "Subnets", "SubnetId"), ("subnet", "network", work.wanted.network), make)


def _way_out(work: Work, vpc: str, subnet: str) -> None:
    """A gateway, and routes to it over both families."""

    def make_gateway() -> str:
        made = work.ec2.create_internet_gateway(TagSpecifications=work.specification("internet-gateway", "network"))
        return str(made["InternetGateway"]["InternetGatewayId"])

    def make_table() -> str:
        made = work.ec2.create_route_table(VpcId=vpc, TagSpecifications=work.specification("route-table", "network"))
        return str(made["RouteTable"]["RouteTableId"])

    kinds = ("describe_internet_gateways", "InternetGateways", "InternetGatewayId")
    gateway = _one(work, kinds, ("gateway", "network", ""), make_gateway)
    table = _one(work, ("describe_route_tables", "RouteTables", "RouteTableId"), ("routes", "network", ""), make_table)
    if not (gateway and table and subnet):
        return
    [found] = work.ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    if not found.get("Attachments") and work.note(
        Change(action="change", kind="gateway", name="network", detail="attach")
    ):
        work.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    [routes] = work.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    if subnet not in [entry.get("SubnetId") for entry in routes.get("Associations", ())] and work.note(
        Change(action="change", kind="routes", name="network", detail="for the subnet")
    ):
        work.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    for key, network in (("DestinationCidrBlock", "0.0.0.0/0"), ("DestinationIpv6CidrBlock", "::/0")):
        if network not in [route.get(key) for route in routes["Routes"]] and work.note(
            Change(action="create", kind="route", name="network", detail=network)
        ):
            work.ec2.create_route(RouteTableId=table, GatewayId=gateway, **{key: network})


def _one(work: Work, kinds: tuple[str, str, str], said: tuple[str, str, str], make: Callable[[], str]) -> str:
    """The id of the one thing of a kind that the environment has, made when it has none."""
    call, key, identity = kinds
    found = work.find(call, key, said[1])
    if found:
        return str(found[0][identity])
    if work.note(Change(action="create", kind=said[0], name=said[1], detail=said[2])):
        return make()
    return UNKNOWN
