# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a certificate's names lead to this host, before a try is used up at the directory."""

from __future__ import annotations

__all__ = ["check_names"]

import ipaddress
import socket
from typing import TYPE_CHECKING

from .lineage import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HTTP = 80


def check_names(domains: Iterable[str], addresses: Sequence[str]) -> None:
    """Compare what each name resolves to with the host's own addresses; without addresses, nothing is compared.

    Raises CertificateError with every name that leads nowhere or elsewhere.
    """
    own = {ipaddress.ip_address(address) for address in addresses}
    problems = [problem for domain in domains if own for problem in [_problem(domain, own)] if problem]
    if problems:
        raise CertificateError("; ".join(problems))


def _problem(domain: str, own: set[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str:
    try:
        answers = socket.getaddrinfo(domain, HTTP, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return f"{domain} has no address ({error.strerror}): set its A and AAAA records to {_listed(own)}"
    found = {ipaddress.ip_address(str(answer[4][0])) for answer in answers}
    elsewhere = found - own
    if not elsewhere:
        return ""
    return (
        f"{domain} leads to {_listed(elsewhere)}, which is not this host: set its A and AAAA records to {_listed(own)},"
        " or declare the host's public addresses in network_addresses"
    )


def _listed(addresses: Iterable[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str:
    return " and ".join(sorted(map(str, addresses)))
