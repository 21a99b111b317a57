"""What a service's units may reach, beside what the service says that it talks to."""

from __future__ import annotations

__all__ = ["address_problems", "looked_up", "parse"]

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EVERYWHERE = {"0.0.0.0/0", "::/0"}


def parse(shown: str) -> dict[str, dict[str, str]]:
    """The units of `systemctl show`, by their names, each with its properties."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n") if block]
    return {block["Id"]: block for block in blocks}


def looked_up(lines: str) -> dict[str, set[str]]:
    """Addresses by the name they were found for: each line a name and an address."""
    found: dict[str, set[str]] = {}
    for name, address in (line.split() for line in lines.splitlines() if line.strip()):
        found.setdefault(name, set()).add(address.split("%")[0])
    return found


def address_problems(
    units: Mapping[str, Mapping[str, str]],
    talks_to: Sequence[str],
    *,
    now: Mapping[str, Iterable[str]],
    lately: Mapping[str, Iterable[str]],
    resolvers: Iterable[str],
) -> list[str]:
    """Units that may reach more, or less, than the service declares (`talks_to`, each HOST:PORT).

    `now` has the addresses of the named hosts as they are looked up now, `lately` those of the last day: a name that
    has just changed may keep both.
    """
    hosts = {entry.rpartition(":")[0].strip("[]") for entry in talks_to}
    named = {host for host in hosts if not _is_address(host)}
    wanted = _networks(hosts - named) | {one for name in named for one in _networks(now.get(name, ()))}
    tolerated = {one for name in named for one in _networks(lately.get(name, ()))}
    tolerated |= _networks(resolvers) if named else set()
    problems = []
    for name, unit in sorted(units.items()):
        allowed = set(unit["IPAddressAllow"].split())
        if not set(unit["IPAddressDeny"].split()) >= EVERYWHERE:
            problems.append(f"{name} may reach every address")
            continue
        if not hosts and unit["PrivateNetwork"] != "yes":
            problems.append(f"{name} has a network, and talks_to names nobody")
        over = sorted(allowed - wanted - tolerated)
        under = sorted(wanted - allowed)
        problems += [f"{name} may reach {address}, which talks_to does not name" for address in over]
        problems += [f"{name} cannot reach {address}, which talks_to names" for address in under]
    return problems


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _networks(addresses: Iterable[str]) -> set[str]:
    return {str(ipaddress.ip_network(address)) for address in addresses}
