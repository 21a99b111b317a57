"""Requests as a visitor makes them: by a way that leaves from the vantage host, so that its address is seen."""

from __future__ import annotations

__all__ = ["AGREED", "NOTHING", "SECONDS", "SILENT", "UNTRUSTED", "Client", "Reply", "TlsError", "read", "written"]

import email
import http.client
import json
import re
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .evidence import NotAssessedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .machine import Machine

HTTP, HTTPS = 80, 443
SECONDS = 15
SILENT, UNTRUSTED, WITH_FORM = "no answer: ", "not trusted: ", ", with a form"  # as the evidence says it
AGREED, NOTHING = "agreed: ", "nothing"
SECRET_HEADERS = ("set-cookie", "cookie", "authorization")
ARCHAIC = "ALL:@SECLEVEL=0"  # without it a current OpenSSL would not even offer TLS 1.1


class TlsError(NotAssessedError):
    """No connection was made that the client would trust; the message has OpenSSL's words."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    has_form: bool = False
    body: str = ""
    protocol: str = ""
    certificate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return str(self.headers.get("Location", ""))

    def lifetime(self, now: datetime) -> tuple[float, float]:
        """Days the served certificate still has, and days it had in all."""
        begin, end = (
            datetime.fromtimestamp(ssl.cert_time_to_seconds(self.certificate[name]), tz=UTC)
            for name in ("notBefore", "notAfter")
        )
        return (end - now).total_seconds() / 86400, (end - begin).total_seconds() / 86400


class Client:
    """A visitor of one site at one address, with the cookies it was given."""

    def __init__(self, vantage: Machine, address: str, domain: str, *, tls: bool = True, trust: bool = False) -> None:
        """Nothing is sent yet. Without `trust` the certificate has to lead to `audit_trust_roots` or the system's."""
        self.vantage = vantage
        self.address = address
        self.domain = domain
        self.tls = tls
        self.trust = trust
        self.cookies: dict[str, str] = {}

    def __str__(self) -> str:
        """The site and where it was asked, for a sentence."""
        return f"{self.domain} at {self.address}"

    def get(self, path: str) -> Reply:
        """Ask for a page."""
        return self.request("GET", path)

    def post(self, path: str, values: Mapping[str, str]) -> Reply:
        """Send a form, with the token against forgery that the site's cookie holds."""
        token = next((value for name, value in self.cookies.items() if "csrf" in name.lower()), "")
        body = urlencode({**values, "csrfmiddlewaretoken": token})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"https://{self.domain}{path}"}
        return self.request("POST", path, body=body, headers=headers)

    def request(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        """Make one request and keep what was answered, without cookies and without the page itself.

        Raises AssertionError when the site does not answer, TlsError when it cannot be trusted.
        """
        name = self._name(method, path)
        kept = self.vantage.recalled(name)
        if kept:
            return read(kept.stdout)
        sent = {"Host": self.domain, "User-Agent": "art32-audit", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = self._connection(self._context() if self.tls else None)
        try:
            connection.request(method, path, body=body or None, headers=sent)
            reply = connection.reply()
        except ssl.SSLCertVerificationError as error:
            told = f"{self} shows a certificate that nobody trusts: {error.verify_message}"
            self._keep(name, method, path, f"{UNTRUSTED}{told}\n")
            raise TlsError(told) from error
        except (OSError, http.client.HTTPException) as error:
            told = f"{self._url(path)} does not answer at {self.address}: {error or type(error).__name__}."
            self._keep(name, method, path, f"{SILENT}{told}\n")
            raise AssertionError(told) from error
        finally:
            connection.close()
        self._take_cookies(reply)
        self._keep(name, method, path, written(reply))
        return reply

    def handshake(self, highest: ssl.TLSVersion) -> str:
        """The protocol that is agreed on when the client knows none above `highest`; empty when it is refused."""
        name = f"tls-at-most-{highest.name}-{self.domain}-{self.address}"
        kept = self.vantage.recalled(name)
        if kept:
            agreed = kept.stdout.removeprefix(AGREED).strip()
            return "" if agreed == NOTHING else agreed
        context = _trusting()
        context.set_ciphers(ARCHAIC)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, highest
        connection = self._connection(context)
        try:
            connection.connect()
            agreed = connection.protocol
        except (ssl.SSLError, OSError):
            agreed = ""
        finally:
            connection.close()
        self.vantage.keep(name, f"TLS handshake with {self.domain}", f"{AGREED}{agreed or NOTHING}\n")
        return agreed

    def _connection(self, context: ssl.SSLContext | None) -> _Connection:
        way = self.vantage.way(self.address, HTTPS if self.tls else HTTP)
        return _Connection(way, self.domain, context)

    def _context(self) -> ssl.SSLContext:
        if self.trust:
            return _trusting()
        roots = self.vantage.variable("audit_trust_roots", "")
        return ssl.create_default_context(cadata=roots) if roots else ssl.create_default_context()

    def _url(self, path: str) -> str:
        return f"http{'s' if self.tls else ''}://{self.domain}{path}"

    def _take_cookies(self, reply: Reply) -> None:
        for header in reply.headers.get_all("Set-Cookie") or []:
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()

    def _name(self, method: str, path: str) -> str:
        return re.sub(r"\?.*", "", f"{method}-{self._url(path)}-at-{self.address}").replace("://", "-")

    def _keep(self, name: str, method: str, path: str, text: str) -> None:
        request = f"{method} {self._url(path)}"
        self.vantage.keep(name, request, f"{request} at {self.address}\n\n{text}")


class _Connection(http.client.HTTPConnection):
    """HTTP by some way, under the site's own name."""

    def __init__(self, way: tuple[str, int], domain: str, context: ssl.SSLContext | None) -> None:
        super().__init__(*way, timeout=SECONDS)
        self.domain = domain
        self.context = context
        self.protocol = ""

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), timeout=SECONDS)
        self.sock = self.context.wrap_socket(plain, server_hostname=self.domain) if self.context else plain
        self.protocol = getattr(self.sock, "version", str)() or ""

    def reply(self) -> Reply:
        certificate: dict[str, Any] = getattr(self.sock, "getpeercert", dict)() or {}
        answer = self.getresponse()
        body = answer.read().decode(errors="replace")
        return Reply(
            status=answer.status,
            headers=answer.headers,
            has_form="<form" in body,
            body=body,
            protocol=self.protocol,
            certificate=certificate,
        )


def written(reply: Reply) -> str:
    """A reply for the evidence: without cookies and without the page itself."""
    headers = "".join(f"{name}: {_hidden(name, value)}\n" for name, value in reply.headers.items())
    served = json.dumps(reply.certificate, indent=1) if reply.certificate else "none"
    form = WITH_FORM if reply.has_form else ""
    page = f"page of {len(reply.body)} characters{form}\nprotocol {reply.protocol or 'plain'}\n"
    return f"{reply.status}\n{headers}\n{page}certificate {served}\n"


def read(text: str) -> Reply:
    """A reply as it was written down, without its page.

    Raises AssertionError or TlsError when that is what was met.
    """
    _, _, told = text.partition("\n\n")
    if told.startswith(SILENT):
        raise AssertionError(told.removeprefix(SILENT).strip())
    if told.startswith(UNTRUSTED):
        raise TlsError(told.removeprefix(UNTRUSTED).strip())
    head, _, rest = told.partition("\n\n")
    status, _, headers = head.partition("\n")
    page, protocol, served = rest.split("\n", 2)
    served = served.removeprefix("certificate ").strip()
    return Reply(
        status=int(status),
        headers=email.message_from_string(headers, _class=http.client.HTTPMessage),
        has_form=page.endswith(WITH_FORM),
        protocol=protocol.removeprefix("protocol "),
        certificate={} if served == "none" else json.loads(served),
    )


def _trusting() -> ssl.SSLContext:
    """For what is asked whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _hidden(name: str, value: str) -> str:
    """A header's value for the evidence: of a cookie its name and attributes, not what it holds."""
    return re.sub(r"=[^;]*", "=(hidden)", value, count=1) if name.lower() in SECRET_HEADERS else value
