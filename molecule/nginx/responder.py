"""A service for the scenario: answers over the socket that systemd hands it.

/                 a release as JSON, as molecule/resources/load.py reads it
/status/N         status N (301 with a Location)
/account/NAME     names the account in X-Account and X-Member
/headers          the request's headers as JSON, as they arrived
/slow/N           after N seconds
/own              with X-Content-Type-Options, Referrer-Policy and a Content-Security-Policy of its own
/echo             becomes another protocol when asked to, and gives back one line
"""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

FIRST_SOCKET = 3


class Responder(BaseHTTPRequestHandler):
    """Answers GET and POST."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as the path asks."""
        _, kind, *rest = self.path.partition("?")[0].split("/")
        if kind == "echo":
            self.echo()
            return
        value = urllib.parse.unquote("/".join(rest))
        status = int(value) if kind == "status" else 200
        if kind == "slow":
            time.sleep(float(value))
        told = {"headers": dict(self.headers.items()), "": {"release": "1"}}
        body = json.dumps(told[kind]) if kind in told else f"{kind} {value}\n"
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/elsewhere")
        if kind == "own":
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        if kind == "account":
            self.send_header("X-Account", value)
            self.send_header("X-Member", value)
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        """Answer as to GET."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def echo(self) -> None:
        """Change the protocol if nginx passed the wish on."""
        wish = self.headers.get("Upgrade")
        if wish is None or self.headers.get("Connection", "").lower() != "upgrade":
            self.send_error(426)
            return
        self.send_response(101)
        self.send_header("Upgrade", wish)
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(self.rfile.readline())
        self.close_connection = True

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
