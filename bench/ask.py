#!/usr/bin/env python3
"""Asks for a page, on the server itself, as fast as it is answered.

ask.py SOCKET PORT DOMAIN PATH SECONDS ROUNDS CLIENTS

By turns from the service's socket, through nginx, and through the nginx at another port; each round begins with the
next one. Prints pages per second: {"socket": [...], "nginx": [...], "minimal": [...]}.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import socket
import ssl
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEADERS = {"X-Forwarded-Proto": "https", "X-Real-IP": "127.0.0.1"}


class Socket(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, host: str) -> None:
        """Keep the path; the host is only told."""
        super().__init__(host, timeout=30)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Nginx(http.client.HTTPSConnection):
    """HTTPS to this host by the service's name. The certificate is not what is measured here."""

    def __init__(self, host: str, port: int) -> None:
        """Trust whoever answers on the loopback."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(host, port, timeout=30, context=context)
        self.tls = context

    def connect(self) -> None:
        """Connect to the loopback."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def ask(connect: Callable[[], http.client.HTTPConnection], path: str, seconds: float, _: int) -> int:
    """Count the pages that one client gets; a connection is kept as long as the other side does.

    Raises RuntimeError for any other status than 200.
    """
    pages, end, connection = 0, time.monotonic() + seconds, connect()
    while time.monotonic() < end:
        connection.request("GET", path, headers=HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} answers {answer.status}")
        pages += 1
    connection.close()
    return pages


def main() -> None:
    """Measure."""
    path, port, domain, page, seconds, rounds, clients = sys.argv[1:]
    ways: dict[str, Callable[[], http.client.HTTPConnection]] = {
        "socket": partial(Socket, path, domain),
        "nginx": partial(Nginx, domain, http.client.HTTPS_PORT),
        "minimal": partial(Nginx, domain, int(port)),
    }
    names = list(ways)
    found: dict[str, list[float]] = {way: [] for way in ways}
    with multiprocessing.Pool(int(clients)) as pool:
        for number in range(int(rounds)):
            first = number % len(names)
            for way in names[first:] + names[:first]:
                counts = pool.map(partial(ask, ways[way], page, float(seconds)), range(int(clients)), chunksize=1)
                found[way].append(round(sum(counts) / float(seconds), 1))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
