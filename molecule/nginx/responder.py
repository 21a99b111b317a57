"""A service for the scenario: answers over the socket that systemd hands it.

/status/N         status N (301 with a Location)
/account/NAME     names the account in X-Account and X-Member
/headers          the request's headers as JSON, as they arrived
"""

from __future__ import annotations

import json
import socket
import urllib.parse
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

FIRST_SOCKET = 3


class Responder(BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
        """Answer as the path asks."""
        _, kind, *rest = self.path.split("/")
        value = urllib.parse.unquote("/".join(rest))
        status = int(value) if kind == "status" else 200
        body = json.dumps(dict(self.headers.items())) if kind == "headers" else f"{kind} {value}\n"
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/elsewhere")
        if kind == "account":
            self.send_header("X-Account", value)
            self.send_header("X-Member", value)
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def address_string(self) -> str:
        """A UNIX socket has no address to log."""
        return "nginx"


class Server(ThreadingMixIn, UnixStreamServer):
    """Listens where systemd does."""

    daemon_threads = True

    def __init__(self) -> None:
        """Take over the socket."""
        super().__init__("", Responder, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=FIRST_SOCKET)


if __name__ == "__main__":
    Server().serve_forever()
