"""Which program said what was kept, and in which version."""

from __future__ import annotations

__all__ = ["VERSIONS", "controller", "of_command", "python", "ssh"]

import functools
import platform
import re
import shlex
import ssl
import subprocess
from fnmatch import fnmatch
from importlib import metadata

# The Debian package of every program whose word a check takes. What only cuts, sorts or prints files is among them too.
PACKAGES = {
    **dict.fromkeys(["iptables-save", "ip6tables-save"], "iptables"),
    "firewall": "ufw",  # what the role lays down: it lets ufw make its rules
    "ss": "iproute2",
    "sshd": "openssh-server",
    **dict.fromkeys(["ssh", "ssh-keygen"], "openssh-client"),
    "openssl": "openssl",
    **dict.fromkeys(["systemctl", "journalctl"], "systemd"),
    "getent": "libc-bin",
    "find": "findutils",
    "grep": "grep",
    "awk": "mawk",
    **dict.fromkeys(["cat", "ls", "stat", "sha256sum", "base64", "wc"], "coreutils"),
    "pgrep": "procps",
    "python3": "python3",
    "curl": "curl",
    "nft": "nftables",
    "psql": "postgresql-[0-9]*",
    "pgbackrest": "pgbackrest",
    "nginx": "nginx",
    "nmap": "nmap",
    "testssl": "testssl.sh",
    "lynis": "lynis",
    "oscap": "openscap-scanner",
    "xccdf": "ssg-debian",
    "systemd-analyze": "systemd",
}
VERSIONS = (
    "dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\\n' "
    + shlex.join(sorted(set(PACKAGES.values())))
    + " 2>/dev/null | grep '^installed '"
)
UNKNOWN = "unknown"


def of_command(command: str, versions: str) -> str:
    """The packages, with their versions, of the programs that a shell line runs; `versions` is what VERSIONS said."""
    words = set(re.findall(r"[A-Za-z0-9][A-Za-z0-9_-]*", command))
    wanted = {package for program, package in PACKAGES.items() if program in words}
    found = [line.split()[1:] for line in versions.splitlines()]
    return ", ".join(f"{name} {version}" for name, version in found if any(fnmatch(name, one) for one in wanted))


def python() -> str:
    """The Python of the controller and its OpenSSL, which make requests and handshakes."""
    return f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}"


def ssh() -> str:
    """The OpenSSH of the controller, which logs in."""
    return f"OpenSSH {controller()['openssh']}"


@functools.cache
def controller() -> dict[str, str]:
    """What the audit is made with on the controller, by its versions."""
    told = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    found = re.match(r"OpenSSH_(\S+?),? ", told)
    packages = ("ansible-core", "pytest", "pytest-testinfra", "psycopg", "jinja2")
    versions = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "openssh": found[1] if found else UNKNOWN, **versions}
