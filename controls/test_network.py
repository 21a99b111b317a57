"""NET-1 and NET-2: which ports answer from where, and what the loaded rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import cloud
from . import declared as release
from .judges import files, firewall, units
from .marks import control, not_assessed
from .scans import DATABASE_PORT, Scans, open_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Environment
    from .machine import Machine

UNITS: Mapping[str, units.State] = {
    "ufw.service": "on",
    "nftables.service": "masked",
    "netfilter-persistent.service": "masked",
    "firewalld.service": "masked",
}
# Where the roles' own programs answer, so that nobody else's do.
SERVED = ("22", "80", "443", str(DATABASE_PORT))


@control("NET-1")
def test_only_declared_ports_answer_the_public(
    managed: Machine, visitor: Machine, declaration: Environment, scans: Scans
) -> None:
    exactly(scans.seen(visitor, managed), open_to(declaration, managed, visitor), visitor.name)


@control("NET-1")
def test_only_declared_ports_answer_the_management(
    managed: Machine, management: Machine, declaration: Environment, scans: Scans
) -> None:
    exactly(scans.seen(management, managed), open_to(declaration, managed, management), management.name)


@control("NET-1")
@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_loaded_rules_equal_the_declaration(managed: Machine, declaration: Environment, family: int) -> None:
    loaded = firewall.openings(managed.observed(f"rules-ipv{family}").text, family)
    declared = firewall.declared_openings(declaration.exposure(managed.name), family)
    assert not loaded - declared, f"The IPv{family} rules let in what is not declared: {listed(loaded - declared)}."
    assert not declared - loaded, f"The IPv{family} rules keep out what is declared: {listed(declared - loaded)}."


@control("NET-1")
@pytest.mark.usefixtures("ours")
def test_rules_of_the_next_start_equal_the_loaded_ones(managed: Machine) -> None:
    told = managed.observed("rules-of-the-next-start")
    assert told.rc == 0, f"What the firewall would load at the next start cannot be told: {told.stderr.strip()}"
    other = "; ".join(told.stdout.splitlines())
    assert not other, f"The firewall would load other rules at the next start (- for those missing now): {other}."
    run = managed.observed("ufw-commands").text.split()
    assert not run, f"Commands that nobody declared run when the firewall starts: {', '.join(run)}."
    able = managed.observed("writable-firewall").stdout.split()
    assert not able, f"Others than root can change what is loaded then: {', '.join(able)}."


@control("NET-1")
@pytest.mark.usefixtures("ours")
def test_firewall_is_loaded_at_every_start_and_by_nobody_else(managed: Machine) -> None:
    found = units.state_problems(units.parse(managed.observed("way-in-units").text), UNITS)
    assert not found, f"The firewall is not started as it has to be: {'; '.join(found)}."


@control("NET-1")
@pytest.mark.usefixtures("ours")
def test_firewall_files_are_the_declared_ones(managed: Machine) -> None:
    found = files.problems(managed.observed("managed-files").text, release.files(managed, "NET-1"))
    assert not found, f"The firewall's programs and files were changed: {'; '.join(found)}."


@control("NET-1")
def test_nothing_is_published_past_the_firewall(managed: Machine, declaration: Environment) -> None:
    open_to_all = {str(rule["port"]) for rule in declaration.exposure(managed.name)}
    found = [f"port {port} ({rule})" for port, rule in handed_on(managed) if port not in open_to_all]
    assert not found, f"A container engine or somebody else publishes past the firewall: {', '.join(found)}."


@control("NET-1")
@pytest.mark.usefixtures("ours")
def test_what_the_roles_serve_is_handed_to_no_other_machine(managed: Machine) -> None:
    found = [f"port {port} ({rule})" for port, rule in handed_on(managed) if port in SERVED]
    assert not found, f"What comes for this host's own programs is handed to others: {', '.join(found)}."


@control("NET-1")
def test_security_group_equals_the_declaration(managed: Machine, declaration: Environment) -> None:
    groups = cloud.groups_of(managed)
    for family in (4, 6):
        loaded = cloud.group_openings(groups, family)
        declared = firewall.declared_openings(declaration.exposure(managed.name), family)
        assert not loaded - declared, f"The security group lets in what is not declared: {listed(loaded - declared)}."
        assert not declared - loaded, f"The security group keeps out what is declared: {listed(declared - loaded)}."


@control("NET-2")
def test_security_group_opens_the_database_to_the_management_only(database: Machine, declaration: Environment) -> None:
    groups = cloud.groups_of(database)
    loaded = {opening for family in (4, 6) for opening in cloud.group_openings(groups, family)}
    sources = {opening.source for opening in loaded if opening.port in (str(DATABASE_PORT), "any")}
    extra = sources - set(declaration.get("network_management"))
    assert not extra, f"The security group opens port 5432 to {', '.join(sorted(extra))}."
    assert sources, "The security group opens port 5432 to nobody, not even to the management."


@control("NET-2")
def test_database_port_is_shut_to_the_public(database: Machine, visitor: Machine, scans: Scans) -> None:
    met = scans.seen(visitor, database)
    for address in database.addresses:
        answering = [port for (where, port), outcome in met.items() if where == address and outcome == "open"]
        assert DATABASE_PORT not in answering, f"Port 5432 answers {visitor.name} at {address}."
        if not answering:
            not_assessed(f"nothing answers {visitor.name} at {address}, so a shut port proves nothing")


@control("NET-2")
def test_database_port_answers_the_management(database: Machine, management: Machine, scans: Scans) -> None:
    met = scans.seen(management, database)
    shut = [address for address in database.addresses if met[address, DATABASE_PORT] != "open"]
    assert not shut, f"Port 5432 does not answer {management.name} at {', '.join(shut)}."


def exactly(met: dict[tuple[str, int], str], declared: set[int], vantage: str) -> None:
    """The declared ports answer at every address, and nothing else does."""
    if not declared:
        not_assessed(f"nothing is declared open to {vantage}, so a shut port would prove nothing")
    extra = [f"{where} port {port}" for (where, port), why in met.items() if port not in declared and why == "open"]
    assert not extra, f"From {vantage}, what is not declared in network_exposure answers: {', '.join(extra)}."
    dead = [f"{where} port {port} ({why})" for (where, port), why in met.items() if port in declared and why != "open"]
    assert not dead, f"From {vantage}, what is declared open does not answer: {', '.join(dead)}."


def handed_on(managed: Machine) -> list[tuple[str, str]]:
    """The ports that are handed to other addresses, each with its rule."""
    told = managed.observed("translations")
    if told.rc:
        not_assessed(f"the tables cannot be read: {told.stderr.strip()}")
    return sorted(firewall.published(told.stdout).items())


def listed(found: set[firewall.Opening]) -> str:
    """Openings for a sentence."""
    return ", ".join(str(opening) for opening in sorted(found))


@control("NET-1")
@pytest.mark.usefixtures("ours")
def test_what_answers_is_kept_up_to_date(managed: Machine) -> None:
    found = release.problems(managed, "base", only=release.UPGRADES)
    assert not found, f"Security upgrades are not installed as declared: {'; '.join(found)}."
