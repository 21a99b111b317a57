"""What answers of every managed host from every vantage host: tried once a session, all at the same time."""

from __future__ import annotations

__all__ = ["DATABASE_PORT", "Scans", "open_to"]

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .evidence import NotAssessedError
from .judges import firewall, ports

if TYPE_CHECKING:
    from .environment import Environment
    from .evidence import Evidence
    from .machine import Lab, Machine

DATABASE_PORT = 5432
# What stands open by mistake most often, beside what is declared and what the host itself listens on.
USUAL_PORTS = (
    *(21, 22, 23, 25, 53, 80, 110, 111, 139, 143, 389, 443, 445, 465, 587, 631, 873, 993, 1080, 2049, 2375, 2376),
    *(3000, 3128, 3306, 3389, 4369, 5000, 5432, 5433, 5601, 5672, 5900, 6379, 6443, 8000, 8008, 8080, 8081, 8443),
    *(8888, 9000, 9090, 9100, 9187, 9200, 10250, 11211, 14000, 15000, 15672, 27017, 50000),
)


class Scans:
    """What answers of every managed host, from every vantage host: tried once, all at the same time."""

    def __init__(self, lab: Lab) -> None:
        """Begin all of them."""
        self._lab = lab
        self._pool = ThreadPoolExecutor(8)
        self._found = {
            (vantage, target): self._pool.submit(self._scan, lab.machine(vantage), lab.machine(target))
            for vantage in (*lab.environment.hosts("visitor"), *lab.environment.hosts("management"))
            for target in lab.environment.managed
        }

    def seen(self, vantage: Machine, target: Machine) -> dict[tuple[str, int], str]:
        """What each address and port met; counted as evidence of the running check."""
        return ports.parse(self._lab.store.use(self._found[vantage.name, target.name].result()).text)

    def _scan(self, vantage: Machine, target: Machine) -> Evidence:
        if set(vantage.addresses) & set(target.addresses):
            raise NotAssessedError(f"{vantage.name} is {target.name} itself, which cannot be seen from outside there")
        declared = open_to(self._lab.environment, target, vantage)
        listening = ports.listening(target.collected("listening").text)
        tried = sorted({*declared, *listening, *USUAL_PORTS, DATABASE_PORT})
        addresses = [(address, port) for address in target.addresses for port in tried]
        return vantage.try_ports(f"ports-of-{target.name}", addresses)


def open_to(declaration: Environment, target: Machine, vantage: Machine, protocol: str = "tcp") -> set[int]:
    """The ports of a host that one of a vantage's addresses may reach."""
    return {
        rule["port"]
        for rule in declaration.exposure(target.name)
        if rule["proto"] == protocol and firewall.covers(rule["sources"], vantage.addresses)
    }
