"""How independent scanners are run, and what is known of what they say."""

from __future__ import annotations

__all__ = [
    "ANY",
    "KNOWN",
    "LEAST_INDEX",
    "PROFILE",
    "SERVICE",
    "SSH_AUDIT",
    "SSLYZE",
    "TESTSSL",
    "UNITS",
    "WEB",
    "WITH_ROOTS",
    "lynis",
    "nmap",
    "observatory",
    "openscap",
    "ssh_audit",
]

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from .marks import not_assessed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .evidence import Evidence
    from .machine import Machine

# ssh-audit's own policies, by the release of Debian.
SSH_AUDIT = {"bookworm": "Hardened Debian 12 (version 3)", "trixie": "Hardened Debian 13 (version 1)"}


HERE = Path(__file__).parent
SKIP = "skip-test="


def _known() -> dict[str, dict[str, str]]:
    """What is known of each scanner and no fault, by its own ids, each with the reason."""
    known: dict[str, dict[str, str]] = yaml.safe_load(HERE.joinpath("known.yml").read_text(encoding="utf-8"))
    reason, skipped = "", {}
    for line in HERE.joinpath("lynis.prf").read_text(encoding="utf-8").splitlines():
        if line.startswith(SKIP):
            skipped[line.removeprefix(SKIP)] = reason
        else:
            reason = line.removeprefix("#").strip()
    return {**known, "lynis": skipped}


KNOWN: Mapping[str, Mapping[str, str]] = _known()
LEAST_INDEX = 87
# How exposed a unit may be at most: a service, the web server, and all that stands around them.
SERVICE, WEB, ANY = 1.5, 3.0, 2.5
UNITS = (
    "for unit in $(cd /etc/systemd/system; ls -d art32-*.service | grep -v '@';"
    " systemctl list-units --plain --no-legend 'postgresql@*.service' nginx.service | cut -d' ' -f1);"
    " do systemd-analyze security --no-pager $unit | tail -1; done"
)
# A minute for each address; what is not answered is asked once more, and then no more.
TCP = "nmap -n -Pn -sT -p- -T4 --max-retries 1 --min-rate 2000 -oG - {}"
# Only root may send what asks a UDP port.
UDP = "$([ $(id -u) = 0 ] || echo sudo -n) nmap -n -Pn -sU --top-ports 1000 -T4 --max-retries 1 --min-rate 500 -oG - {}"
REPORT = "/var/log/lynis-report.dat"
# Settings of the kernel that a container cannot make: all but its network's, as far as they are declared.
THE_MACHINES = (
    r"! systemd-detect-virt -qc || "
    r"sed -n '/^-net.ipv/!s/^-\([^ ]*\) = .*/skip-test=KRNL-6000:\1/p' /etc/sysctl.d/zz-art32.conf;"
)
LYNIS = (
    f"rm -f {REPORT}; profile=$(mktemp);"
    f" {{ cat /etc/lynis/default.prf; printf '%s\\n' SKIPPED; {THE_MACHINES} }} >$profile;"
    f" lynis audit system --cronjob --quiet --profile $profile >/dev/null;"
    f" cat {REPORT}; sed -n 's/^skip-test=/skipped[]=/p' $profile; rm $profile"
)
WITH_ROOTS = "roots=$(mktemp); out=$(mktemp -u); printf %s {roots} >$roots; {command}; rm -f $roots $out"
TESTSSL = (
    "testssl --quiet --color 0 --warnings off --ip {address} {ca} --jsonfile $out https://{domain}"
    " </dev/null >/dev/null; cat $out"
)
# Where scripts/observatory installs it; its own launcher replaces the roots that are trusted, ours does not.
OBSERVATORY = HERE.parent / ".cache/observatory/node_modules/@mdn/mdn-http-observatory"
HERE_SECONDS = 120
CONTENT = "/usr/share/xml/scap/ssg/content/ssg-debian$VERSION_ID-ds.xml"
PROFILE = "xccdf_org.ssgproject.content_profile_cis_level1_server"
OPENSCAP = (
    f". /etc/os-release; if [ -e {CONTENT} ]; then oscap xccdf eval --progress --profile {{}} {CONTENT};"
    ' else echo "there are no rules for Debian $VERSION_ID (ssg-debian)" >&2; fi'
)
SCAN = HERE / "observatory" / "scan.mjs"
SSLYZE = "PATH=$PATH:/opt/sslyze/bin sslyze --mozilla_config={policy} {ca} '{domain}:443{{{address}}}'"


def nmap(protocol: str, address: str) -> str:
    """The shell line that asks the ports of an address."""
    line = TCP if protocol == "tcp" else UDP
    return line.format(f"-6 {address}" if ":" in address else address)


def lynis(waived: Iterable[str]) -> str:
    """The shell line that runs Lynis, but for what is waived and what a container cannot show."""
    skipped = [f"{SKIP}{name}" for name in waived]
    return LYNIS.replace("SKIPPED", " ".join(map(shlex.quote, skipped)) or "''")


def openscap(profile: str) -> str:
    """The shell line that asks the rules of a profile, where there are rules for the release."""
    return OPENSCAP.format(shlex.quote(profile))


def ssh_audit(managed: Machine, policy: str) -> Evidence:
    """What ssh-audit says of a host by one of its policies, from the controller.

    Raises NotAssessedError when it is not there.
    """
    program = Path(sys.executable).with_name("ssh-audit")
    if not program.exists():
        not_assessed("ssh-audit did not run: it is not installed on the controller")
    words = ["-j", "-p", str(managed.variable("ansible_port", 22)), "-P", policy, managed.addresses[0]]
    tool = f"ssh-audit {metadata.version('ssh-audit')}"
    return _here(managed, "ssh-audit", [str(program), *words], tool=tool)


def observatory(web: Machine, site: str, address: str, roots: str) -> Evidence:
    """What MDN's HTTP Observatory says of a site, from the controller.

    Raises NotAssessedError when it is not there.
    """
    described, node = OBSERVATORY / "package.json", shutil.which("node")
    if not (described.exists() and node):
        not_assessed("the HTTP Observatory did not run: it is not installed on the controller (scripts/observatory)")
    version = json.loads(described.read_text(encoding="utf-8"))["version"]
    command = [node, str(SCAN), str(OBSERVATORY), site, address]
    return _here(web, f"observatory-{site}", command, tool=f"{OBSERVATORY.name} {version}", roots=roots)


def _here(subject: Machine, name: str, command: list[str], *, tool: str, roots: str = "") -> Evidence:
    """What a scanner on the controller says of a host, kept; what it complains of where it says nothing else."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as trusted:
        trusted.write(roots)
        trusted.flush()
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": trusted.name} if roots else None
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=HERE_SECONDS
        )
    words = [Path(command[0]).name, *command[1:]]
    return subject.keep(name, shlex.join(words), done.stdout or done.stderr, tool=tool)
