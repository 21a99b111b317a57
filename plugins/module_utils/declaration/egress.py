# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host may connect to, when not everything."""

from __future__ import annotations

__all__ = ["check_egress", "egress"]

from typing import TYPE_CHECKING, Any

from .fields import Field, check_mapping
from .network import ANYWHERE, LAST_PORT, parse_network
from .problems import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "firewall_egress"
EVERYTHING = "anywhere"


def _is_port(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LAST_PORT


def _is_target(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    if isinstance(value, list):
        return bool(value) and all(parse_network(entry) is not None for entry in value)
    return bool(value == EVERYTHING)


FIELDS: Mapping[str, Field] = {
    "service": Field(required=True, allowed="what it is for, in one line"),
    "port": Field(required=True, allowed=f"a port from 1 to {LAST_PORT}", test=_is_port),
    "proto": Field(allowed="tcp or udp", test=lambda value: value in ("tcp", "udp")),
    "to": Field(required=True, allowed=f"{EVERYTHING} or a list of networks", test=_is_target),
}


def check_egress(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of firewall_egress."""
    if value == EVERYTHING:
        return []
    if not isinstance(value, list):
        return [Problem(variable=VARIABLE, value=value, allowed=f"{EVERYTHING}, or a list of what may be reached")]
    return [
        problem for index, entry in enumerate(value) for problem in check_mapping(f"{VARIABLE}[{index}]", entry, FIELDS)
    ]


def egress(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - what the operator wrote
    """The rules for what a host may connect to, in the declared order; none where it may reach everything.

    Every entry has service, port, proto and to, a list of networks.

    Raises DeclarationError when the declaration is impossible.
    """
    problems = check_egress(value)
    if problems:
        raise DeclarationError(problems)
    if value == EVERYTHING:
        return []
    return [
        {
            "service": entry["service"],
            "port": entry["port"],
            "proto": entry.get("proto", "tcp"),
            "to": [
                str(network) for network in (ANYWHERE if entry["to"] == EVERYTHING else map(parse_network, entry["to"]))
            ],
        }
        for entry in value
    ]
