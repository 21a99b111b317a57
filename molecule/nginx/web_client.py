"""Asks the server's nginx from another machine, by curl and openssl, over a chosen address."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controls.machine import Machine

SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; `code` is curl's own exit status."""

    code: int
    status: int = 0
    version: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: str = ""


def ask(client: Machine, url: str, address: str, *options: str) -> Answer:
    """Request a URL, its name resolved to the address; certificates are judged unless `--insecure` is given."""
    name = url.split("/")[2]
    target = f"[{address}]" if ":" in address else address
    marker = "\n%{http_code} %{http_version}"
    command = ["curl", "-si", "-m", str(SECONDS), "--connect-to", f"{name}::{target}:", "-w", marker, *options, url]
    done = client.run(shlex.join(command))
    if done.rc:
        return Answer(code=done.rc)
    text, _, told = done.stdout.rpartition("\n")
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    status, version = told.split()
    return Answer(code=0, status=int(status), version=version, headers=read_headers(head), body=body)


def read_headers(head: str) -> dict[str, list[str]]:
    """Header names in lower case, each with all of its values."""
    headers: dict[str, list[str]] = {}
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    return headers


def handshake(client: Machine, name: str, address: str, *options: str) -> str:
    """What openssl says about a TLS connection for this name."""
    target = f"[{address}]:443" if ":" in address else f"{address}:443"
    command = shlex.join(["openssl", "s_client", "-connect", target, "-servername", name, *options])
    done = client.run(f"timeout {SECONDS} {command} </dev/null 2>&1")
    return str(done.stdout)
