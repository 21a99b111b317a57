#!/usr/bin/python3
"""Looks at the certificates that this host serves, as a client gets them, whatever certbot and the files say.

    watch-certificates [--below PERCENT] NAME...

For each name (a wildcard by one of those it stands for) and both families: one is served, it is for the name, somebody
other than itself vouches for it, and at least so many percent of its lifetime are left. What is not so is printed, and
the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

ADDRESSES = ("127.0.0.1", "::1")
PORT = 443
SECONDS = 10


@dataclass(frozen=True)
class Served:
    """What a client gets to see."""

    names: frozenset[str]
    begins: datetime
    expires: datetime
    is_its_own_issuer: bool


def main() -> int:
    """Look at every name; print one line for each that is not as it should be."""
    parser = argparse.ArgumentParser(description="Look at the certificates that this host serves.")
    parser.add_argument("names", metavar="NAME", nargs="+")
    parser.add_argument("--below", metavar="PERCENT", type=float, default=32, help="lifetime left that is too little")
    arguments = parser.parse_args()
    problems = [
        f"{name} on {address}: {problem}"
        for name in arguments.names
        for address in ADDRESSES
        for problem in problems_of(name, address, arguments.below)
    ]
    print("\n".join(problems) or f"{len(arguments.names)} served as they should be")
    return 1 if problems else 0


def problems_of(name: str, address: str, below: float) -> list[str]:
    """What is wrong with the certificate that is served for a name at an address."""
    try:
        served = read(fetch(name, address))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return [f"no certificate is served: {error}"]
    problems = []
    if served.is_its_own_issuer:
        problems.append("only a placeholder is served")
    if name not in served.names:
        problems.append(f"the one served is for {', '.join(sorted(served.names)) or 'no name'}")
    left = (served.expires - datetime.now(UTC)) / (served.expires - served.begins) * 100
    if left < below:
        problems.append(
            f"{max(left, 0):.0f} % of its lifetime are left, it ends on {served.expires:%Y-%m-%d %H:%M} UTC"
        )
    return problems


def fetch(name: str, address: str) -> str:
    """The certificate that nginx hands to who asks for this name, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, PORT), timeout=SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=name.replace("*", "art32", 1)) as session,
    ):
        return ssl.DER_cert_to_PEM_cert(session.getpeercert(binary_form=True) or b"")


def read(pem: str) -> Served:
    """What a certificate says. Raises ValueError when that cannot be understood."""
    command = ["openssl", "x509", "-noout", "-dates", "-issuer", "-subject", "-ext", "subjectAltName"]
    told = subprocess.run(command, input=pem, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    facts = dict(re.findall(r"^(\w+)\s*=\s*(.*)$", told, re.MULTILINE))
    if not {"notBefore", "notAfter", "issuer", "subject"} <= facts.keys():
        raise ValueError(f"openssl says {told.strip()[:200]}")
    begins, expires = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(facts[key]), tz=UTC) for key in ("notBefore", "notAfter")
    )
    names = frozenset(re.findall(r"DNS:([^\s,]+)", told))
    return Served(names, begins, expires, facts["issuer"] == facts["subject"])


if __name__ == "__main__":
    sys.exit(main())
