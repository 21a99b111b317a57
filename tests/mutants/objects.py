"""The objects that roles manage, read from what the roles' tasks ask for: they note it for a survey (docs/site.md)."""

from __future__ import annotations

__all__ = ["Object", "read"]

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from plugins.module_utils.transaction.model import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Kind = Literal[
    "absent",
    "account",
    "certificate",
    "cluster",
    "database",
    "directory",
    "file",
    "line",
    "login",
    "package",
    "place",
    "principals",
    "rule",
    "rules",
    "setting",
    "unit",
]
PRINCIPALS = "/etc/ssh/principals"
SSHD = "/etc/ssh/sshd_config"
RULES = {"/etc/ufw/user.rules": "IPv4", "/etc/ufw/user6.rules": "IPv6"}
LET_IN = re.compile(r"(?m)^-A (ufw6?-user-input .* -j ACCEPT)$")
# What another value of would let in more, or others; the rest of the file is one object.
SWITCH = re.compile(r"(?m)^(\w*(?:Authentication|Login|Passwords|Forwarding|Modes|UsePAM)) (yes|no)$")


@dataclass(frozen=True, kw_only=True)
class Object:
    """One thing that a role keeps as it is declared on a host; `role` is the role that does."""

    kind: Kind
    name: str
    role: str
    host: str = "server"
    state: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """The way the table of controls names it."""
        return f"{self.kind} {self.name}"


def read(notes: Path, host: str = "server") -> list[Object]:
    """Every object of the notes about a host in a directory, each once."""
    found: dict[str, Object] = {}
    for path in sorted(notes.glob("*.json")):
        note = json.loads(path.read_text(encoding="utf-8"))
        of_module = _OF_MODULE.get(note.get("module", ""))
        for one in of_module(note["arguments"]) if of_module else ():
            found.setdefault(str(one), replace(one, host=host))
    return list(found.values())


def _of_transaction(asked: Mapping[str, Any]) -> Iterator[Object]:
    role, contents = asked["name"], unpack(asked.get("contents"))
    for entry in asked.get("files", []):
        path = entry["dest"]
        yield from _of_file(role, path, contents.get(path, b"").decode(errors="replace"), link=entry.get("link"))
    for kind, names in _names(asked):
        yield from (Object(kind=kind, name=name, role=role) for name in names)
    for unit in asked.get("units", []):
        yield Object(kind="unit", name=unit["name"], role=role, state=unit)


def _names(asked: Mapping[str, Any]) -> Iterable[tuple[Kind, Iterable[str]]]:
    return [
        # A place with room for one file is that file.
        ("place", [place for place in asked.get("owns") or [] if "*" in place]),
        ("absent", asked.get("absent") or []),
        ("package", asked.get("packages") or []),
        ("directory", [entry["path"] for entry in asked.get("directories") or []]),
    ]


def _of_file(role: str, path: str, text: str, link: str | None = None) -> Iterator[Object]:
    if path.startswith(f"{PRINCIPALS}/"):
        yield Object(kind="principals", name=PurePosixPath(path).name, role=role)
        return
    yield Object(kind="file", name=path, role=role, state={"link": link})
    if path in RULES:
        yield Object(kind="rules", name=RULES[path], role=role)
        yield from (Object(kind="rule", name=f"{RULES[path]} {rule}", role=role) for rule in LET_IN.findall(text))
    if path.endswith("/pg_hba.conf"):
        lines = filter(None, (line.strip() for line in text.splitlines()))
        yield from (Object(kind="line", name=line, role=role, state={"path": path}) for line in lines if line[0] != "#")
    if path == SSHD:
        for name, value in SWITCH.findall(text):
            yield Object(kind="setting", name=name, role=role, state={"value": value})


def _of_accounts(asked: Mapping[str, Any]) -> Iterator[Object]:
    yield from (Object(kind="account", name=person["name"], role="base", state=person) for person in asked["people"])


def _of_access(asked: Mapping[str, Any]) -> Iterator[Object]:
    yield Object(kind="cluster", name="main", role="postgresql")
    yield from (Object(kind="database", name=name, role="postgresql") for name in asked["databases"])
    yield from (Object(kind="login", name=one["name"], role="postgresql", state=one) for one in asked["people"])


def _of_certificates(asked: Mapping[str, Any]) -> Iterator[Object]:
    yield from (Object(kind="certificate", name=one["name"], role="certbot") for one in asked["certificates"])


_OF_MODULE = {
    "transaction": _of_transaction,
    "accounts": _of_accounts,
    "postgresql_access": _of_access,
    "certificate": _of_certificates,
}
