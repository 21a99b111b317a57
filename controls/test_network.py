"""NET-1 and NET-2: which ports answer from where, and what the loaded rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .judges import firewall
from .marks import control, not_assessed

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

DATABASE_PORT = 5432
NO_CLOUD = "no cloud account is declared, so the provider's own rules cannot be read"
# What stands open by mistake most often, beside what is declared and what the host itself listens on.
USUAL_PORTS = (
    *(21, 22, 23, 25, 53, 80, 110, 111, 139, 143, 389, 443, 445, 465, 587, 631, 873, 993, 1080, 2049, 2375, 2376),
    *(3000, 3128, 3306, 3389, 4369, 5000, 5432, 5433, 5601, 5672, 5900, 6379, 6443, 8000, 8008, 8080, 8081, 8443),
    *(8888, 9000, 9090, 9100, 9187, 9200, 10250, 11211, 14000, 15000, 15672, 27017, 50000),
)


@control("NET-1")
def test_only_declared_ports_answer_the_public(managed: Machine, visitor: Machine, declaration: Environment) -> None:
    expect_exactly(managed, visitor, declaration)


@control("NET-1")
def test_only_declared_ports_answer_the_management(
    managed: Machine, management: Machine, declaration: Environment
) -> None:
    expect_exactly(managed, management, declaration)


@control("NET-1")
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_loaded_rules_equal_the_declaration(managed: Machine, declaration: Environment, family: int) -> None:
    loaded = firewall.openings(managed.observed(f"rules-ipv{family}").text, family)
    declared = firewall.declared_openings(declaration.exposure(managed.name), family)
    assert not loaded - declared, f"The IPv{family} rules let in what is not declared: {listed(loaded - declared)}."
    assert not declared - loaded, f"The IPv{family} rules keep out what is declared: {listed(declared - loaded)}."


@control("NET-1")
def test_security_group_equals_the_declaration(managed: Machine) -> None:
    not_assessed(NO_CLOUD)


@control("NET-2")
def test_security_group_opens_the_database_to_the_management_only(database: Machine) -> None:
    not_assessed(NO_CLOUD)


@control("NET-2")
def test_database_port_is_shut_to_the_public(database: Machine, visitor: Machine, declaration: Environment) -> None:
    assert DATABASE_PORT not in open_to(declaration, database, visitor), "network_exposure opens 5432 to the public."
    expect_exactly(database, visitor, declaration)


@control("NET-2")
def test_database_port_answers_the_management(database: Machine, management: Machine, declaration: Environment) -> None:
    targets = [(address, DATABASE_PORT) for address in database.addresses]
    met = management.try_ports(f"database-port-of-{database.name}", targets)
    shut = [f"{address} ({outcome})" for (address, _), outcome in met.items() if outcome != "open"]
    assert not shut, f"Port 5432 does not answer the management address at {', '.join(shut)}."


def expect_exactly(target: Machine, vantage: Machine, declaration: Environment) -> None:
    """The declared ports answer over every address, and none of the usual or listening ones besides."""
    declared = open_to(declaration, target, vantage)
    if not declared:
        not_assessed(f"nothing is declared open from {vantage.name}, so a shut port would prove nothing")
    ports = sorted({*declared, *USUAL_PORTS, *listening(target)})
    targets = [(address, port) for address in target.addresses for port in ports]
    met = vantage.try_ports(f"ports-of-{target.name}", targets)
    dead = [
        f"{address} port {port} ({why})" for (address, port), why in met.items() if port in declared and why != "open"
    ]
    assert not dead, f"From {vantage.name}, what is declared open does not answer: {', '.join(dead)}."
    extra = [f"{address} port {port}" for (address, port), why in met.items() if port not in declared and why == "open"]
    assert not extra, f"From {vantage.name}, what is not declared in network_exposure answers: {', '.join(extra)}."


def open_to(declaration: Environment, target: Machine, vantage: Machine) -> set[int]:
    """The TCP ports of a host that one of a vantage's addresses may reach."""
    return {
        rule["port"]
        for rule in declaration.exposure(target.name)
        if rule["proto"] == "tcp" and firewall.covers(rule["sources"], vantage.addresses)
    }


def listening(target: Machine) -> set[int]:
    """The TCP ports on which something listens beyond the loopback."""
    sockets = [line.split() for line in target.observed("listening").text.splitlines()]
    local = [words[4].rpartition(":") for words in sockets if words[0] == "tcp"]
    return {int(port) for address, _, port in local if not address.startswith(("127.", "[::1]"))}


def listed(found: set[firewall.Opening]) -> str:
    """Openings for a sentence."""
    return ", ".join(str(opening) for opening in sorted(found))
