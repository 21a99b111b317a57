"""Asks a service steadily until it is told to stop: load.py TARGET RESULT REQUESTS_PER_SECOND.

The target is a socket, or https://DOMAIN for the nginx of this host.

Writes what came back: {"sent": n, "failed": [reasons], "releases": [in the order they first answered], "slowest": s,
"rate": what was reached, "maintained": answers 503 that say when to come again}.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

# As long as nginx waits for a service.
TIMEOUT = 60
# The certificate is another scenario's matter.
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
stopped = threading.Event()
lock = threading.Lock()
result: dict[str, Any] = {"sent": 0, "failed": [], "releases": [], "slowest": 0.0, "maintained": 0}


def ask(path: str) -> None:
    """Send one request over a new connection, as nginx does."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(path.removeprefix("https://") if "://" in path else "sample.example.test")
    try:
        connection.sock = connected(path)
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        note(answer.status, body, began, maintained=answer.getheader("Retry-After") is not None)
    except (OSError, http.client.HTTPException) as error:
        note(0, repr(error).encode(), began)
    finally:
        connection.close()


def connected(path: str) -> socket.socket:
    """Connect as nginx does, or as a visitor does."""
    if "://" not in path:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(TIMEOUT)
        plain.connect(path)
        return plain
    plain = socket.create_connection(("127.0.0.1", 443), timeout=TIMEOUT)
    return TLS.wrap_socket(plain, server_hostname=path.removeprefix("https://"))


def note(status: int, body: bytes, began: float, *, maintained: bool = False) -> None:
    """Count an answer."""
    with lock:
        result["sent"] += 1
        result["slowest"] = max(result["slowest"], round(time.monotonic() - began, 2))
        if status == http.client.SERVICE_UNAVAILABLE and maintained:
            result["maintained"] += 1
        elif status != http.client.OK:
            result["failed"].append(f"{status}: {body[:200].decode(errors='replace')}")
        elif (release := json.loads(body)["release"]) not in result["releases"]:
            result["releases"].append(release)


def main() -> None:
    """Send, then wait for the last answers and write."""
    path, output, rate = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    threads: list[threading.Thread] = []
    began = due = time.monotonic()
    while not stopped.wait(max(0.0, due - time.monotonic())):
        due += 1 / float(rate)
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=ask, args=[path]))
        threads[-1].start()
    seconds = time.monotonic() - began
    for thread in threads:
        thread.join()
    result["rate"] = round(result["sent"] / seconds, 1)
    Path(output).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
