"""Which ports listen on a host, and which answer from elsewhere."""

from __future__ import annotations

__all__ = ["listening", "parse"]


def listening(sockets: str) -> set[int]:
    """The TCP ports on which something listens beyond the loopback, from `ss -H -ltun`."""
    words = [line.split() for line in sockets.splitlines()]
    local = [line[4].rpartition(":") for line in words if line[0] == "tcp"]
    return {int(port) for address, _, port in local if not address.startswith(("127.", "[::1]"))}


def parse(attempts: str) -> dict[tuple[str, int], str]:
    """What was met at each address and port, from lines like `192.0.2.1 443 open`."""
    found = {}
    for line in attempts.splitlines():
        address, port, outcome = line.split(" ", 2)
        found[address, int(port)] = outcome
    return found
