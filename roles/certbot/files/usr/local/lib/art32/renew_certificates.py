#!/usr/bin/python3
"""Renews the certificates that are due, again at once when what stopped it passes by itself.

    renew-certificates CERTBOT

certbot tries a nonce that the directory refuses once more, and then gives up until the next pass, hours later.
"""

from __future__ import annotations

import subprocess
import sys
import time

ATTEMPTS = 4
PAUSE_SECONDS = 5
TRANSIENT = ("badNonce", "invalid anti-replay nonce", "Another instance of Certbot is already running")


def main() -> int:
    """Run certbot until it succeeds, or fails for a reason that stays; its exit status."""
    for attempt in range(1, ATTEMPTS + 1):
        status, output = renew(sys.argv[1])
        if status == 0 or not any(known in output for known in TRANSIENT) or attempt == ATTEMPTS:
            break
        time.sleep(PAUSE_SECONDS)
    return status


def renew(certbot: str) -> tuple[int, str]:
    """One run; what it says is in the journal as it says it."""
    process = subprocess.Popen([certbot, "renew"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        said.append(line)
    return process.wait(), "".join(said)


if __name__ == "__main__":
    sys.exit(main())
