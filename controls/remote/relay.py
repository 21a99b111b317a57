"""Prints whether mail leaves this host, and what `openssl` meets at the relay that it goes to, as its settings are now.

First a line `relay HOST:PORT` with `tls` or `plain` behind it, or `no relay`. No password is asked for, and none told.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

SETTINGS = Path("/etc/art32/alert.json")
ROOTS = "/etc/art32/mail-roots.pem"
SMTP_PORT, SMTPS_PORT = 25, 465
SECONDS = 20


def is_address(host: str) -> bool:
    """Whether a certificate has to have it as an address rather than as a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def main() -> None:
    """Ask the settings, then the relay."""
    told = json.loads(SETTINGS.read_text(encoding="utf-8"))
    if not (told["email"] and told["relay"]):
        print("no relay")  # noqa: T201 - its answer
        return
    way = "plain" if told.get("plain", True) and not told["user"] else "tls"
    print("relay", told["relay"], way, flush=True)  # noqa: T201 - its answer
    relay = urlsplit(f"//{told['relay']}")
    host, port = relay.hostname or "", relay.port or SMTP_PORT
    trusted = ["-CAfile", ROOTS, "-no-CApath", "-no-CAstore", "-verify_return_error"]
    named = ["-verify_ip", host] if is_address(host) else ["-verify_hostname", host, "-servername", host]
    begun = [] if port == SMTPS_PORT else ["-starttls", "smtp"]
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = ["openssl", "s_client", "-brief", "-connect", where, *begun, *named, *trusted]
    nothing, pipe, same = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    done = subprocess.run(command, stdin=nothing, stdout=pipe, stderr=same, timeout=SECONDS, check=False)
    sys.stdout.buffer.write(done.stdout)


if __name__ == "__main__":
    main()
