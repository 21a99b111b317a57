#!/usr/bin/env python3
"""Asks for a page, on the server itself, as fast as it is answered: ask.py SOCKET DOMAIN PATH SECONDS ROUNDS CLIENTS.

By turns from the service's socket, through nginx, and through an nginx with the least that somebody would write by
hand, in the other order in every other round. Prints pages per second:
{"socket": [...], "nginx": [...], "minimal": [...]}.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMAL_PORT = 8443
PATIENCE = 10
# Nothing but what it takes: TLS as nginx has it by default, the log in its standard format, the page's way.
MINIMAL = """\
user www-data;
worker_processes auto;
pid {directory}/pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log {directory}/access.log;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {domain};
        ssl_certificate /etc/nginx/certificates/{domain}/fullchain.pem;
        ssl_certificate_key /etc/nginx/certificates/{domain}/privkey.pem;
        location / {{
            proxy_pass http://unix:{socket};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""
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

    def __init__(self, host: str, port: int = 443) -> None:
        """Trust whoever answers on the loopback."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(host, timeout=30, context=context)
        self.tls, self.at = context, port

    def connect(self) -> None:
        """Connect to the loopback."""
        plain = socket.create_connection(("127.0.0.1", self.at), timeout=30)
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


@contextlib.contextmanager
def minimal(path: str, domain: str) -> Iterator[None]:
    """Have the other nginx run."""
    with tempfile.TemporaryDirectory(prefix="art32-bench-") as directory:
        Path(directory).chmod(0o755)
        configuration = Path(directory) / "nginx.conf"
        text = MINIMAL.format(directory=directory, port=MINIMAL_PORT, domain=domain, socket=path)
        configuration.write_text(text, encoding="utf-8")
        command = ["nginx", "-c", str(configuration), "-g", "daemon off;"]
        process = subprocess.Popen(command)
        try:
            wait_for_port()
            yield
        finally:
            process.terminate()
            process.wait()


def wait_for_port() -> None:
    """Wait until the other nginx listens.

    Raises OSError when it does not come to that.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", MINIMAL_PORT), timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Measure."""
    path, domain, page, seconds, rounds, clients = sys.argv[1:]
    ways: dict[str, Callable[[], http.client.HTTPConnection]] = {
        "socket": partial(Socket, path, domain),
        "nginx": partial(Nginx, domain),
        "minimal": partial(Nginx, domain, MINIMAL_PORT),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    with minimal(path, domain), multiprocessing.Pool(int(clients)) as pool:
        for number in range(int(rounds)):
            for way, connect in sorted(ways.items(), reverse=number % 2 == 1):
                counts = pool.map(partial(ask, connect, page, float(seconds)), range(int(clients)), chunksize=1)
                found[way].append(round(sum(counts) / float(seconds), 1))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
