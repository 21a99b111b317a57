"""How independent scanners are run, and what is known of what they say."""

from __future__ import annotations

__all__ = [
    "ANY",
    "KNOWN",
    "LEAST_INDEX",
    "SERVICE",
    "SSH_AUDIT",
    "SSLYZE",
    "TCP",
    "TESTSSL",
    "UDP",
    "UNITS",
    "WEB",
    "WITH_ROOTS",
    "lynis",
    "ssh_audit",
]

import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from .marks import not_assessed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .evidence import Evidence
    from .machine import Machine

# ssh-audit's own policies, by the release of Debian.
SSH_AUDIT = {"bookworm": "Hardened Debian 12 (version 3)", "trixie": "Hardened Debian 13 (version 1)"}


def _profile() -> dict[str, str]:
    """What Lynis asks for and these hosts do not have, by its own ids, each with the reason that stands above it."""
    reasons: dict[str, str] = {}
    reason = ""
    for line in Path(__file__).with_name("lynis.prf").read_text(encoding="utf-8").splitlines():
        if line.startswith(SKIP):
            reasons[line.removeprefix(SKIP)] = reason
        else:
            reason = line.removeprefix("#").strip()
    return reasons


SKIP = "skip-test="
# What a scanner says of every host like ours, by its own id, and why that is no fault.
KNOWN: Mapping[str, Mapping[str, str]] = {
    "lynis": _profile(),
    "ssh-audit": {"Host keys": "the policy for Debian 13 forgets that a host may show a certificate besides its keys"},
    "systemd-analyze": {
        "art32-restore-drill.service": (
            "it asks the services' own checks, whose credentials systemd hides from units with mounts of their own"
        ),
        "art32-revert-boot.service": "it puts back whatever a change had touched, and so has to reach everything",
        "art32-revert-finish.service": "it puts back whatever a change had touched, and so has to reach everything",
    },
}
LEAST_INDEX = 87
# How exposed a unit may be at most: a service, the web server, and all that stands around them.
SERVICE, WEB, ANY = 1.5, 3.0, 2.5
UNITS = (
    "for unit in $(cd /etc/systemd/system; ls -d art32-*.service | grep -v '@';"
    " systemctl list-units --plain --no-legend 'postgresql@*.service' nginx.service | cut -d' ' -f1);"
    " do systemd-analyze security --no-pager $unit | tail -1; done"
)
# Half a minute for each address; what is not answered is asked once more, and then no more.
TCP = "nmap -n -Pn -sT -p- -T4 --max-retries 1 --min-rate 2000 -oG - {}"
UDP = "nmap -n -Pn -sU --top-ports 1000 -T4 --max-retries 1 --min-rate 500 -oG - {}"
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
SSLYZE = "PATH=$PATH:/opt/sslyze/bin sslyze --mozilla_config={policy} {ca} '{domain}:443{{{address}}}'"


def lynis(waived: Iterable[str]) -> str:
    """The shell line that runs Lynis, but for what is waived and what a container cannot show."""
    skipped = [f"{SKIP}{name}" for name in waived]
    return LYNIS.replace("SKIPPED", " ".join(map(shlex.quote, skipped)) or "''")


def ssh_audit(managed: Machine, policy: str) -> Evidence:
    """What ssh-audit says of a host by one of its policies, from the controller.

    Raises NotAssessedError when it is not there.
    """
    program = Path(sys.executable).with_name("ssh-audit")
    if not program.exists():
        not_assessed("ssh-audit did not run: it is not installed on the controller")
    words = ["-j", "-p", str(managed.variable("ansible_port", 22)), "-P", policy, managed.addresses[0]]
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False, timeout=60)
    command, tool = shlex.join(["ssh-audit", *words]), f"ssh-audit {metadata.version('ssh-audit')}"
    return managed.keep("ssh-audit", command, done.stdout, tool=tool)
