# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts of an environment say of one another, and what environments may not share."""

from __future__ import annotations

__all__ = ["check_members", "check_names", "check_own_addresses", "check_shared", "check_watcher", "texts_of"]

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Literal

from .network import PARTS, VANTAGE_GROUPS, managed_hosts
from .problems import Problem

Groups = Mapping[str, Sequence[str]]

WATCHED_GROUPS = ("database", "web", "app")
KNOWN_GROUPS = (*PARTS[1:], *VANTAGE_GROUPS)


def check_members(groups: Groups) -> list[Problem]:
    """Hosts that play no part: nothing would be promised of them."""
    members = {host for group in KNOWN_GROUPS for host in groups.get(group, ())}
    allowed = f"a host of {', '.join(KNOWN_GROUPS[:-1])} or {KNOWN_GROUPS[-1]}"
    return [
        Problem(variable=f"groups of host {host}", value=[], allowed=allowed)
        for host in groups.get("all", ())
        if host not in members
    ]


def check_own_addresses(addresses: Mapping[str, Iterable[str]], groups: Groups) -> list[Problem]:
    """One address of two hosts. The repository of the backups would be the database's own host under another name."""
    owners: dict[str, str] = {}
    problems = []
    databases = set(groups.get("database", ()))
    for host in sorted(addresses, key=lambda host: host not in databases):
        for address in addresses[host]:
            first = owners.setdefault(_plain(address), host)
            if first != host:
                role = "the database's host " if first in databases else ""
                said = f"an address of its own; {role}{first} has this one"
                problems.append(Problem(variable=f"network_addresses of host {host}", value=address, allowed=said))
    return problems


def check_watcher(watcher: str, groups: Groups) -> list[Problem]:
    """The host that watches, when it is none of the environment's, or one of those that keep data or serve it.

    Whoever owned such a host would own the watch as well.
    """
    watched = {host for group in WATCHED_GROUPS for host in groups.get(group, ())}
    able = [host for host in managed_hosts(groups) if host not in watched]
    if not watcher or watcher in able:
        return []
    listed = f": {', '.join(able)}" if able else "; there is none"
    allowed = f"empty, or a host in none of {', '.join(WATCHED_GROUPS[:-1])} and {WATCHED_GROUPS[-1]}{listed}"
    return [Problem(variable="watch_host", value=watcher, allowed=allowed)]


def check_names(
    services: Sequence[Mapping[str, Any]],
    addresses: Iterable[str],
    resolved: Mapping[str, Sequence[str]],
) -> list[Problem]:
    """Names for a certificate that lead to no web host of the environment: none could be issued here for them.

    A name that does not resolve (yet) is no contradiction.
    """
    own = {_plain(address) for address in addresses}
    problems = []
    for index, entry in enumerate(services):
        named = [("domain", entry["domain"])]
        named += [(f"aliases[{number}]", alias) for number, alias in enumerate(entry.get("aliases", []))]
        for key, name in named:
            found = sorted({_plain(address) for address in resolved.get(name, ())})
            if found and own and not own & set(found):
                said = f"a name of a web host ({', '.join(sorted(own))}); it leads to {', '.join(found)}"
                problems.append(Problem(variable=f"services[{index}].{key}", value=name, allowed=said))
    return problems


def check_shared(
    own: Mapping[str, str],
    others: Mapping[str, Mapping[str, str]],
    what: Literal["a secret", "an authority"] = "a secret",
) -> list[Problem]:
    """Secrets (name to value) that another environment (its directory's name) has as well. Authorities may be shown."""
    problems = []
    for name, value in own.items():
        having = next((other for other, secrets in others.items() if value in secrets.values()), None)
        if having is not None:
            said = f"{what} of this environment alone; {having} has the same"
            problems.append(Problem(variable=name, value=value, allowed=said, secret=what == "a secret"))
    return problems


def texts_of(name: str, value: Any) -> dict[str, str]:  # noqa: ANN401 - any value of a vault
    """Every text of a value by its path, dots between the keys."""
    if isinstance(value, Mapping):
        return {path: text for key, item in value.items() for path, text in texts_of(f"{name}.{key}", item).items()}
    if isinstance(value, list):
        return {path: text for at, item in enumerate(value) for path, text in texts_of(f"{name}[{at}]", item).items()}
    return {name: str(value)}


def _plain(address: str) -> str:
    """One spelling of an address."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address
