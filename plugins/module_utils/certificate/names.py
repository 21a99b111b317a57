# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a certificate's names lead to this host, and their port 80 too, before a try is used up at the directory."""

from __future__ import annotations

__all__ = ["arrival_problems", "name_problems"]

import http.client
import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

HTTP = 80
ARRIVAL_SECONDS = 10
CHALLENGES = ".well-known/acme-challenge"
RECORDS = {4: "A", 6: "AAAA"}


def name_problems(domains: Iterable[str], addresses: Sequence[str]) -> list[str]:
    """Names that lead nowhere or elsewhere, or lack a family that the host has; without addresses, nowhere alone."""
    own = {ipaddress.ip_address(address) for address in addresses}
    return [problem for domain in domains for problem in _problems(domain, own)]


def arrival_problems(domains: Iterable[str], webroot: Path) -> list[str]:
    """Addresses of the names at whose port 80 something else answers than this host, or nothing."""
    token = f"art32-{secrets.token_hex(8)}"
    directory = webroot / CHALLENGES
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    answer = directory / token
    answer.write_text(token, encoding="ascii")
    answer.chmod(0o644)
    try:
        return [
            problem
            for domain in domains
            for address in sorted(_resolve(domain), key=str)
            for problem in [_arrival_problem(domain, str(address), token)]
            if problem
        ]
    finally:
        answer.unlink()


def _problems(domain: str, own: set[Address]) -> list[str]:
    try:
        found = _resolve(domain)
    except socket.gaierror as error:
        meant = _listed(own) or "this host's addresses"
        return [f"{domain} has no address ({error.strerror}): set its A and AAAA records to {meant}"]
    elsewhere = found - own if own else set()
    if elsewhere:
        told = f"{domain} leads to {_listed(elsewhere)}, which is not this host: set its A and AAAA records to"
        return [f"{told} {_listed(own)}, or declare the host's public addresses in network_addresses"]
    missing = {address for address in own if address.version not in {one.version for one in found}}
    return [
        f"{domain} has no {RECORDS[version]} record: set it to"
        f" {_listed(one for one in missing if one.version == version)}, or take that out of network_addresses"
        for version in sorted({address.version for address in missing})
    ]


def _arrival_problem(domain: str, address: str, token: str) -> str:
    connection = http.client.HTTPConnection(address, HTTP, timeout=ARRIVAL_SECONDS)
    try:
        connection.request("GET", f"/{CHALLENGES}/{token}", headers={"Host": domain})
        reply = connection.getresponse()
        status, body = reply.status, reply.read(len(token) + 1)
    except (OSError, http.client.HTTPException) as error:
        return (
            f"port 80 of {domain} does not answer at {address} ({error}): let it in (network_exposure and what stands"
            " before the host), or set certbot_check_arrival to false where a host cannot reach its own public address"
        )
    finally:
        connection.close()
    if (status, body) == (http.HTTPStatus.OK, token.encode()):
        return ""
    return f"something else answers for {domain} at {address}, port 80 ({status}): have it lead to this host's nginx"


def _resolve(domain: str) -> set[Address]:
    answers = socket.getaddrinfo(domain, HTTP, type=socket.SOCK_STREAM)
    return {ipaddress.ip_address(str(answer[4][0])) for answer in answers}


def _listed(addresses: Iterable[Address]) -> str:
    return " and ".join(sorted(map(str, addresses)))
