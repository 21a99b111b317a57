"""What the watch is given by the one who declares: what is declared, without secrets, and what it may ask of each host.

    python -m controls.unattended ENVIRONMENT HOST      prints both as JSON; HOST is the one that the watch runs on

The watch can make no certificate, opens no vault and becomes root nowhere. It asks each host by the program `observe`,
which runs the shell lines that are listed here and no others.
"""

from __future__ import annotations

__all__ = ["IDENTITY", "declaration", "known_hosts", "questions"]

import base64
import json
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.module_utils.known_hosts import authority_lines

from . import sources
from .environment import MANAGEMENT, VISITOR, read
from .history import WATCHER
from .wheel import wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .environment import Environment

HERE = "watch"  # the name under which the watch's own host looks at the others from outside
IDENTITY = "/etc/art32/identities/watch"
STATE = "/var/lib/art32-watch"
SSH_OPTIONS = {
    "UserKnownHostsFile": "/etc/art32/watch/known_hosts",
    "GlobalKnownHostsFile": "/dev/null",
    "StrictHostKeyChecking": "yes",
}


def declaration(environment: Environment, watcher: str) -> dict[str, Any]:
    """The declaration as the watch reads it: its own login in the place of people's, itself as the vantage host."""
    told = environment.everything_told()
    away = {host for part in ("visitor", "management") for host in environment.hosts(part)}
    groups = {name: [host for host in members if host not in away] for name, members in told["groups"].items()}
    addresses = environment.addresses(watcher)
    group = MANAGEMENT if _is_of(addresses, environment.get("network_management", [])) else VISITOR
    groups |= {MANAGEMENT: [], VISITOR: [], group: [HERE], "all": [*groups["all"], HERE]}
    variables = {host: {**told["variables"].get(host, {}), **_login(environment, host)} for host in environment.managed}
    variables[HERE] = {**told["variables"][watcher], "ansible_connection": "local", "network_addresses": addresses}
    return {"name": environment.name, "groups": groups, "variables": variables}


def questions(environment: Environment) -> dict[str, dict[str, Any]]:
    """For each host the shell lines that it may be asked, by name, and the patterns of the places in them."""
    return {
        host: {
            "lines": {**sources.for_host(environment, host), **sources.later(environment, host)},
            "places": sources.PLACES,
        }
        for host in environment.managed
    }


def known_hosts(environment: Environment) -> list[str]:
    """Whom the watch takes for whom: hosts that show a certificate of the environment's authorities."""
    authorities = environment.get("sshd_trusted_user_ca_keys", [])
    names = {host: _names(environment, host) for host in environment.managed}
    return [line for host in names for line in authority_lines(names[host], authorities)]


def _names(environment: Environment, host: str) -> list[str]:
    declared: list[str] = environment.get("sshd_host_names", host=host)
    return declared


def _login(environment: Environment, host: str) -> dict[str, Any]:
    """What a watch's login needs; the key and its certificate lie beside each other."""
    port = environment.get("ansible_port", host=host)
    return {
        "access_person": WATCHER,
        "ansible_user": WATCHER,
        "ansible_ssh_private_key_file": IDENTITY,
        "ansible_ssh_common_args": " ".join(f"-o {name}={value}" for name, value in SSH_OPTIONS.items()),
        **({"ansible_port": port} if port else {}),
        "audit_observer": WATCHER,
        "audit_signing_key": f"{STATE}/signing-key",
    }


def _is_of(addresses: Iterable[str], networks: Iterable[str]) -> bool:
    known = [ip_network(network, strict=False) for network in networks]
    return any(ip_address(address) in network for address in addresses for network in known)


def main(directory: str, watcher: str) -> None:
    """Print what the watch on this host is given."""
    environment = read(Path(directory))
    name, content = wheel()
    given = {
        "declaration": declaration(environment, watcher),
        "known_hosts": known_hosts(environment),
        "questions": questions(environment),
        "wheel": {"name": name, "content": base64.b64encode(content).decode()},
    }
    json.dump(given, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
