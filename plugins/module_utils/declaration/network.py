# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who reaches which port: from the declaration to the rules of one host."""

from __future__ import annotations

__all__ = [
    "Rule",
    "addresses_of",
    "check_exposure",
    "check_management",
    "exposure",
    "managed_hosts",
]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from .fields import Field, check_mapping, is_text, with_text_keys
from .problems import DeclarationError, Problem, nearest

Network = IPv4Network | IPv6Network
Groups = Mapping[str, Sequence[str]]

ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
VANTAGE_GROUPS = ("vantage_management", "vantage_visitor")
PARTS = ("all", "database", "web", "app", "backup_repository")
LAST_PORT = 65535
# A network with fewer bits than this is no place where people sit, but a part of the world.
FEWEST_BITS = {4: 8, 6: 16}
UNIQUE_LOCAL = IPv6Network("fc00::/7")

A_NETWORK = "an address or a network like 198.51.100.5/32 or fd32:32::/64"
A_SOURCE = "anywhere, management, group:NAME or a list of networks"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One port of one host, and the networks it answers."""

    service: str
    port: int
    proto: str
    sources: frozenset[Network] = field(default_factory=frozenset)

    def as_dict(self) -> dict[str, Any]:
        """The shape that templates and tasks use."""
        sources = in_order(self.sources)
        return {
            "service": self.service,
            "port": self.port,
            "proto": self.proto,
            "sources": [str(source) for source in sources],
            "families": sorted({source.version for source in sources}),
        }


def exposure(
    rules: Any,  # noqa: ANN401 - checked here
    management: Any,  # noqa: ANN401 - checked here
    groups: Groups,
    host: str,
    hostvars: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """The ports that a host opens: one entry a port, sorted, its sources sorted and unique.

    Every entry has service, port, proto, sources (CIDR strings) and families (4, 6 or both).
    A rule from a group without hosts opens nothing.

    Raises DeclarationError when either declaration is impossible.
    """
    problems = check_management(management) + check_exposure(rules, groups)
    if problems:
        raise DeclarationError(problems)
    if host not in managed_hosts(groups):
        return []
    merged: dict[tuple[int, str], Rule] = {}
    for entry in map(with_text_keys, rules):
        if entry["on"] != "all" and host not in groups.get(entry["on"], ()):
            continue
        key = (int(entry["port"]), str(entry.get("proto", "tcp")))
        before = merged[key].sources if key in merged else frozenset()
        sources = _sources(entry["from"], management, groups, hostvars or {})
        merged[key] = Rule(service=str(entry["service"]), port=key[0], proto=key[1], sources=before | sources)
    return [merged[key].as_dict() for key in sorted(merged) if merged[key].sources]


def managed_hosts(groups: Groups) -> list[str]:
    """Every host that the collection configures: all but those that only look from outside."""
    vantage = {host for group in VANTAGE_GROUPS for host in groups.get(group, ())}
    return [host for host in groups.get("all", ()) if host not in vantage]


def addresses_of(host: str, variables: Mapping[str, Any]) -> list[Network]:
    """The addresses of a host: its network_addresses, or else ansible_host.

    Raises DeclarationError when neither holds an address.
    """
    declared = variables.get("network_addresses") or [variables.get("ansible_host", host)]
    networks = [parse_network(address) for address in declared]
    found = [network for network in networks if network is not None]
    if len(found) < len(networks):
        raise DeclarationError(
            [
                Problem(
                    variable=f"network_addresses of host {host}",
                    value=list(declared),
                    allowed="a list of its IPv4 and IPv6 addresses",
                ),
            ],
        )
    return found


def check_management(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of network_management: a list of networks, not empty, none as wide as the world."""
    return check_networks("network_management", value)


def check_networks(variable: str, value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of a list of networks."""
    if not isinstance(value, list) or not value:
        return [Problem(variable=variable, value=value, allowed=f"a list of at least one network: {A_NETWORK}")]
    problems = []
    for index, item in enumerate(value):
        network = parse_network(item)
        if network is None:
            problems.append(Problem(variable=f"{variable}[{index}]", value=item, allowed=_network_allowed(item)))
        elif is_wide(network):
            narrow = f"a network of /{FEWEST_BITS[network.version]} or narrower"
            allowed = f"{narrow} (write anywhere in network_exposure when it is meant)"
            problems.append(Problem(variable=f"{variable}[{index}]", value=item, allowed=allowed))
    return problems


def check_exposure(value: Any, groups: Groups) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of network_exposure."""
    variable = "network_exposure"
    if not isinstance(value, list) or not value:
        return [Problem(variable=variable, value=value, allowed="a list of at least one port that is open")]
    problems: list[Problem] = []
    rules = [with_text_keys(entry) for entry in value]
    for index, entry in enumerate(rules):
        found = check_mapping(f"{variable}[{index}]", entry, _rule_fields(groups))
        problems += found
        if not found and isinstance(entry["from"], list):
            problems += check_networks(f"{variable}[{index}].from", entry["from"])
    return problems or _check_names(variable, rules)


def parse_network(value: Any) -> Network | None:  # noqa: ANN401 - what the operator wrote
    """A network, or None when the text is none or has bits set beyond its prefix."""
    try:
        return ip_network(value) if isinstance(value, str) else None
    except ValueError:
        return None


def is_wide(network: Network) -> bool:
    """Whether a network is the world or a good part of it; private addresses are not."""
    private = isinstance(network, IPv6Network) and network.subnet_of(UNIQUE_LOCAL)
    return network.prefixlen < FEWEST_BITS[network.version] and not private


def in_order(networks: Iterable[Network]) -> list[Network]:
    """IPv4 before IPv6, then by address: the same declaration always gives the same file."""
    return sorted(networks, key=lambda network: (network.version, int(network.network_address), network.prefixlen))


def is_address(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """Whether a text is one IPv4 or IPv6 address."""
    try:
        ip_address(value)
    except ValueError:
        return False
    return isinstance(value, str)


def _network_allowed(item: Any) -> str:  # noqa: ANN401 - what the operator wrote
    try:
        return f"{ip_network(item, strict=False)} or one address of it" if isinstance(item, str) else A_NETWORK
    except ValueError:
        return A_NETWORK


def _rule_fields(groups: Groups) -> dict[str, Field]:
    known = {*PARTS, *groups}

    def says_group(name: Any, otherwise: str) -> str:  # noqa: ANN401 - what the operator wrote
        meant = nearest(str(name).removeprefix("group:"), known)
        return f"{otherwise}{f' (did you mean {meant}?)' if meant else ''}"

    def is_source(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
        if isinstance(value, str) and value.startswith("group:"):
            return value.removeprefix("group:") in known
        return value in ("anywhere", "management") or isinstance(value, list)

    return {
        "service": Field(required=True, allowed="a short name of the service", test=is_text),
        "port": Field(required=True, allowed=f"a TCP port from 1 to {LAST_PORT}", test=_is_port),
        "proto": Field(allowed="tcp or udp", test=lambda value: value in ("tcp", "udp")),
        "from": Field(required=True, allowed=lambda value: says_group(value, A_SOURCE), test=is_source),
        "on": Field(
            required=True,
            allowed=lambda value: says_group(value, "all or a group of the inventory"),
            test=lambda value: isinstance(value, str) and value in known,
        ),
    }


def _is_port(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LAST_PORT


def _check_names(variable: str, rules: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """One port has one name, wherever it is open."""
    names: dict[tuple[int, str], str] = {}
    problems = []
    for index, entry in enumerate(rules):
        key = (entry["port"], entry.get("proto", "tcp"))
        first = names.setdefault(key, entry["service"])
        if first != entry["service"]:
            allowed = f"port {key[0]} is already declared as {first}"
            problems.append(Problem(variable=f"{variable}[{index}].service", value=entry["service"], allowed=allowed))
    return problems


def _sources(
    declared: str | list[str],
    management: Sequence[str],
    groups: Groups,
    hostvars: Mapping[str, Mapping[str, Any]],
) -> frozenset[Network]:
    if declared == "anywhere":
        return frozenset(ANYWHERE)
    if declared == "management":
        return frozenset(ip_network(item) for item in management)
    if isinstance(declared, list):
        return frozenset(ip_network(item) for item in declared)
    members = groups.get(declared.removeprefix("group:"), ())
    return frozenset(network for host in members for network in addresses_of(host, _variables(host, hostvars)))


def _variables(host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return hostvars[host] if host in hostvars else {}  # noqa: SIM401 - Ansible's own mapping has no plain get
