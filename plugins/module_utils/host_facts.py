# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few facts that roles use, read by one shell command instead of a module that looks at everything."""

from __future__ import annotations

__all__ = ["COMMAND", "HOST_KEY", "IDENTITIES", "UnsupportedHostError", "parse"]

import shlex
from typing import Any

SUPPORTED = {"12": "bookworm", "13": "trixie"}
KIB_PER_MIB = 1024

# The public half of what a host identifies itself with, to other hosts and to clients: keys, and their certificates.
IDENTITIES = "/etc/art32/identities"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
IDENTITY = "ART32_IDENTITY "

COMMAND = (
    "cat /etc/os-release && echo ART32_HOSTNAME=$(uname -n) && echo ART32_CPUS=$(getconf _NPROCESSORS_ONLN)"
    " && echo ART32_MEMORY=$(grep MemTotal: /proc/meminfo | tr -dc 0-9)"
    " && echo ART32_PYTHON=$(/usr/bin/python3 --version | cut -d' ' -f2)"
    f" && for f in {IDENTITIES}/*.pub {HOST_KEY}*.pub;"
    f' do [ ! -r "$f" ] || echo "{IDENTITY}$(basename "$f") $(cat "$f")"; done'
)


class UnsupportedHostError(Exception):
    """The host runs something that the roles were not made for."""


def parse(answer: str) -> dict[str, Any]:
    """Ansible's own fact names, from what COMMAND printed.

    Raises UnsupportedHostError when the host is no supported Debian, or has no Python.
    """
    identities = [line.removeprefix(IDENTITY) for line in answer.splitlines() if line.startswith(IDENTITY)]
    values = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line and not line.startswith(IDENTITY))
    text = {name: "".join(shlex.split(value)) if name != "PRETTY_NAME" else value for name, value in values.items()}
    if text.get("ID") != "debian" or text.get("VERSION_ID") not in SUPPORTED:
        supported = " or ".join(f"Debian {number} ({name})" for number, name in SUPPORTED.items())
        raise UnsupportedHostError(f"runs {text.get('PRETTY_NAME', 'an unknown system')}; supported is {supported}")
    if not text.get("ART32_PYTHON"):
        raise UnsupportedHostError("has no /usr/bin/python3; install the package python3")
    return {
        "ansible_distribution": "Debian",
        "ansible_distribution_release": SUPPORTED[text["VERSION_ID"]],
        "ansible_distribution_major_version": text["VERSION_ID"],
        "ansible_hostname": text["ART32_HOSTNAME"].partition(".")[0],
        "ansible_processor_vcpus": int(text["ART32_CPUS"]),
        "ansible_memtotal_mb": int(text["ART32_MEMORY"]) // KIB_PER_MIB,
        "ansible_python_version": text["ART32_PYTHON"],
        "ansible_art32_identities": dict(line.split(" ", 1) for line in identities if " " in line),
    }
