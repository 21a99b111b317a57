"""Tries TCP ports from the host it is sent to and prints what each attempt met, as one JSON document.

It is read by the host's Python from standard input, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import platform
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

WORKERS = 128


def attempt(address: str, port: int, timeout: float) -> str:
    """`open`, or why there was no connection: `refused`, `silent` or the system's own word."""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return "open"
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return error.strerror or str(error)


def main(targets: list[tuple[str, int]], timeout: float) -> None:
    """Try every target at once and print Python's version and a list of [address, port, outcome]."""
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = pool.map(lambda target: attempt(target[0], target[1], timeout), targets)
        found = [[*target, outcome] for target, outcome in zip(targets, outcomes, strict=True)]
    json.dump([platform.python_version(), found], sys.stdout)
