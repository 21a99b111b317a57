"""What independent scanners find, run as they come: of every port, of SSH, of TLS, of each unit, of the whole machine.

A scanner that is not there did not run, and what did not run is not met. What each evaluated, found and was waived is
kept by its own ids beside what it printed.
"""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pytest

from . import scanners as programs
from .judges import scanners
from .marks import control, not_assessed
from .scans import open_to
from .verdict import in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from datetime import datetime

    from .environment import Environment
    from .evidence import Evidence
    from .machine import Lab, Machine

    Judge = Callable[..., str]
    Swept = Callable[[Machine, str, str], Evidence]

PROTOCOLS = ("tcp", "udp")
VANTAGES = ("visitor", "management")
SWEEPS = 16


@pytest.fixture
def judged(declaration: Environment, now: datetime) -> Judge:
    """Judges what a scanner printed; what is wrong, for a sentence. The ids are kept as evidence."""

    def judge(subject: Machine, scanner: str, printed: Evidence, by: Callable[[str], scanners.Findings]) -> str:
        try:
            found = by(printed.stdout)
        except (ValueError, KeyError) as error:
            not_assessed(f"{scanner} did not run on {printed.host}: {printed.stderr.strip()[-200:] or error}")
        known = programs.KNOWN.get(scanner, {})
        told = found.told({**known, **waived(scanner, declaration, subject.name, now)})
        if not subject.lab.kept_only:
            kept = json.dumps(told, indent=1)
            subject.keep(f"{printed.name}-ids", printed.command, kept, tool=subject.lab.store.tool(printed))
        return "; ".join(f"{name} {said}" for name, said in told["failed"].items())

    return judge


@pytest.fixture(scope="session")
def swept(lab: Lab) -> Iterator[Swept]:
    """What nmap printed at a vantage host of a protocol's ports; all sweeps begin when the first is asked for."""
    begun: dict[tuple[str, str, str], Future[Evidence]] = {}
    with ThreadPoolExecutor(SWEEPS) as pool:

        def begin(vantage: str, host: str, protocol: str, address: str) -> None:
            name, line = f"nmap-{protocol}-{host}-{address}", programs.nmap(protocol, address)
            begun[vantage, protocol, address] = pool.submit(lab.machine(vantage).sweep, name, line)

        def printed(vantage: Machine, protocol: str, address: str) -> Evidence:
            if not begun:
                vantages = sorted({host for part in VANTAGES for host in lab.environment.hosts(part)})
                for looking, host in product(vantages, lab.environment.managed):
                    for asked, target in product(PROTOCOLS, lab.machine(host).addresses):
                        begin(looking, host, asked, target)
            return lab.store.use(begun[vantage.name, protocol, address].result())

        yield printed


@control("NET-1", kind="scan")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nmap_finds_no_other_port_from_the_public(
    managed: Machine, visitor: Machine, judged: Judge, swept: Swept, protocol: str
) -> None:
    found = ports(managed, visitor, judged, swept, protocol)
    assert not found, f"From the public, nmap finds what is not declared: {found}."


@control("NET-1", kind="scan")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nmap_finds_no_other_port_from_the_management(
    managed: Machine, management: Machine, judged: Judge, swept: Swept, protocol: str
) -> None:
    found = ports(managed, management, judged, swept, protocol)
    assert not found, f"From the management, nmap finds what is not declared: {found}."


def ports(managed: Machine, vantage: Machine, judged: Judge, swept: Swept, protocol: str) -> str:
    """The open ports of a host's addresses, as a vantage host sees them, that are not declared."""
    declared = open_to(managed.lab.environment, managed, vantage, protocol)
    problems = []
    for address in managed.addresses:
        printed = swept(vantage, protocol, address)
        said = judged(managed, "nmap", printed, partial(scanners.nmap, declared=declared))
        problems += [f"{said} at {address}"] * bool(said)
    return "; ".join(problems)


@control("SSH-1", kind="scan")
def test_ssh_audit_finds_its_hardening_guide_kept(managed: Machine, judged: Judge) -> None:
    codename = managed.fetch("release", ". /etc/os-release; echo $VERSION_CODENAME").text.strip()
    if codename not in programs.SSH_AUDIT:
        not_assessed(f"ssh-audit has no policy for {codename}")
    printed = managed.recalled("ssh-audit") or programs.ssh_audit(managed, programs.SSH_AUDIT[codename])
    found = judged(managed, "ssh-audit", printed, scanners.ssh_audit)
    assert not found, f"ssh-audit finds other settings than its guide has: {found}."


@control("TLS-1", kind="scan")
def test_testssl_grades_each_site_a_plus(
    web: Machine, visitor: Machine, declaration: Environment, judged: Judge
) -> None:
    problems = []
    for site, address, roots in sites(web, declaration):
        command = programs.TESTSSL.format(address=address, domain=site, ca="--add-ca $roots" if roots else "")
        printed = visitor.scan(f"testssl-{site}", programs.WITH_ROOTS.format(roots=shlex.quote(roots), command=command))
        said = judged(web, "testssl", printed, scanners.testssl)
        problems += [f"{site}: {said}"] * bool(said)
    assert not problems, f"testssl finds fault with what is served: {'; '.join(problems)}."


@control("TLS-1", kind="scan")
def test_sslyze_finds_mozillas_policy_kept(
    web: Machine, visitor: Machine, declaration: Environment, judged: Judge
) -> None:
    policy = str(declaration.get("nginx_tls_policy", "intermediate", host=web.name))
    problems = []
    for site, address, roots in sites(web, declaration):
        ca = "--certinfo_ca_file=$roots" if roots else ""
        command = programs.SSLYZE.format(address=address, domain=site, policy=policy, ca=ca)
        printed = visitor.scan(f"sslyze-{site}", programs.WITH_ROOTS.format(roots=shlex.quote(roots), command=command))
        said = judged(web, "sslyze", printed, partial(scanners.sslyze, policy=policy))
        problems += [f"{site}: {said}"] * bool(said)
    assert not problems, f"sslyze finds fault with what is served: {'; '.join(problems)}."


@control("TLS-1", kind="scan")
def test_the_observatory_grades_each_site_a_plus(web: Machine, declaration: Environment, judged: Judge) -> None:
    problems = []
    for site, address, roots in sites(web, declaration):
        name = f"observatory-{site}"
        printed = web.recalled(name) or programs.observatory(web, site, address, roots)
        said = judged(web, "observatory", printed, scanners.observatory)
        problems += [f"{site}: {said}"] * bool(said)
    assert not problems, f"MDN's HTTP Observatory finds fault with what is served: {'; '.join(problems)}."


def sites(web: Machine, declaration: Environment) -> list[tuple[str, str, str]]:
    """Each service's domain, the first address at which it is served, and the roots that vouch for it (PEM)."""
    roots = str(declaration.get("audit_trust_roots", "") or "")
    found = [(service["domain"], web.addresses[0], roots) for service in declaration.services]
    return found or not_assessed("no service is declared (services)")


@control("PUR-1", kind="scan")
def test_systemd_finds_each_unit_shut_in(server: Machine, judged: Judge, declaration: Environment) -> None:
    services = {f"art32-{service['name']}": programs.SERVICE for service in declaration.services_on(server.name)}
    found = exposure(server, judged, {**services, "nginx.": programs.WEB, "": programs.ANY})
    assert not found, f"Units may do more than they have to: {found}."


@control("BAK-1", kind="scan")
def test_systemd_finds_each_unit_of_the_backup_shut_in(backup: Machine, judged: Judge) -> None:
    found = exposure(backup, judged, {"": programs.ANY})
    assert not found, f"Units may do more than they have to: {found}."


def exposure(machine: Machine, judged: Judge, most: Mapping[str, float]) -> str:
    """The units that systemd finds more exposed than they may be."""
    printed = machine.scan("unit-exposure", programs.UNITS)
    return judged(machine, "systemd-analyze", printed, partial(scanners.exposure, most=most))


@control("ACC-1", kind="scan")
def test_lynis_finds_the_machine_hardened(
    managed: Machine, judged: Judge, declaration: Environment, now: datetime
) -> None:
    least = int(managed.variable("audit_lynis_index", programs.LEAST_INDEX))
    left_out = [*programs.KNOWN["lynis"], *waived("lynis", declaration, managed.name, now)]
    printed = managed.scan("lynis", programs.lynis(left_out))
    found = judged(managed, "lynis", printed, partial(scanners.lynis, least=least))
    assert not found, f"Lynis finds the machine open: {found}."


@control("ACC-1", kind="scan")
def test_openscap_finds_its_profile_kept(managed: Machine, judged: Judge) -> None:
    printed = managed.scan("openscap", programs.openscap(managed.variable("audit_openscap_profile", programs.PROFILE)))
    found = judged(managed, "openscap", printed, scanners.openscap)
    assert not found, f"OpenSCAP finds rules that are not kept: {found}."


def waived(scanner: str, declaration: Environment, host: str, now: datetime) -> dict[str, str]:
    """What an environment has waived of a scanner, by the scanner's ids, and who says so."""
    return {
        waiver["id"]: f"{waiver['owner']}, until {waiver['until']}: {waiver['reason']}"
        for waiver in declaration.get("audit_scan_waivers", [], host=host)
        if waiver["scanner"] == scanner and in_force(waiver, now.date())
    }
