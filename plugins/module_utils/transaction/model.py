# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a transaction declares, checked and typed."""

from __future__ import annotations

import base64
import fnmatch
import json
import os
import re
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.art32.server.plugins.module_utils.transaction.pending import LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "MANIFESTS",
    "Activation",
    "Directory",
    "File",
    "Preparation",
    "Probe",
    "Request",
    "TransactionError",
    "Unit",
    "Validation",
    "concerns",
    "pack",
    "parse",
    "unpack",
]

MANIFESTS = str(LISTS)
STAGED = re.compile(r"\{staged:([^}]*)\}")
SHORTEST_SECONDS = 5
LONGEST_SECONDS = 3600
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class TransactionError(Exception):
    """The transaction cannot go on; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A directory that has to exist."""

    path: str
    owner: str
    group: str
    mode: int


@dataclass(frozen=True, kw_only=True)
class File:
    """A regular file (`content`) or a symbolic link (`link`) that has to exist."""

    path: str
    content: bytes = b""
    link: str | None = None
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A systemd unit and what it has to be; None where nothing is declared."""

    name: str
    state: Literal["started", "stopped"] | None = None
    enabled: bool | None = None
    masked: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Activation:
    """One step that makes the running system read its files: a unit's verb, a command, or a daemon-reload."""

    unit: str | None = None
    verb: str = "reload"
    command: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    daemon_reload: bool = False
    files: tuple[str, ...] = ()
    timeout: int = 60

    def __str__(self) -> str:
        """Give the order in words."""
        if self.unit:
            return f"{self.verb} {self.unit}"
        return "reload the unit files" if self.daemon_reload else f"run {shlex.join(self.command)}"


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A command that is run once, when something that it creates is missing."""

    command: tuple[str, ...]
    creates: tuple[str, ...]
    timeout: int = 300


@dataclass(frozen=True, kw_only=True)
class Validation:
    """A command that has to accept the staged files; with `overlay` it sees them at their live paths."""

    command: tuple[str, ...]
    overlay: tuple[str, ...] = ()
    timeout: int = 60

    def __str__(self) -> str:
        """Give the command."""
        return shlex.join(self.command)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Something that has to answer on the host after the activation."""

    kind: Literal["unit", "port", "command", "socket"]
    target: str
    address: str = "127.0.0.1"
    command: tuple[str, ...] = ()
    timeout: int = 10

    def __str__(self) -> str:
        """Name the probe for a message."""
        if self.kind == "command":
            return shlex.join(self.command)
        return f"port {self.target} on {self.address}" if self.kind == "port" else f"{self.kind} {self.target}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A whole transaction as declared."""

    name: str
    token: str
    owner: str
    timeout: int = 60
    confirm: bool = False
    packages: tuple[str, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    owns: tuple[str, ...] = ()
    keep_shipped: bool = False
    absent: tuple[str, ...] = ()
    prepare: tuple[Preparation, ...] = ()
    validate: tuple[Validation, ...] = ()
    units: tuple[Unit, ...] = ()
    activate: tuple[Activation, ...] = ()
    finish: tuple[Activation, ...] = ()
    loaded: tuple[tuple[str, ...], ...] = ()
    probes: tuple[Probe, ...] = ()

    def unit_names(self) -> tuple[str, ...]:
        """Every unit named, once, in order."""
        named = [unit.name for unit in self.units] + [entry.unit for entry in self.activate if entry.unit]
        return tuple(dict.fromkeys(named))


def concerns(entry: Activation, path: str) -> bool:
    """Whether a change of the file at `path` calls for this activation."""
    if path.startswith(MANIFESTS):  # the lists, and the key of their digests
        return False
    return not entry.files or any(fnmatch.fnmatchcase(path, pattern) for pattern in entry.files)


def pack(contents: Mapping[str, bytes]) -> str:
    """Make one opaque text of the files' contents, for the way to the host."""
    encoded = {path: base64.b64encode(data).decode("ascii") for path, data in contents.items()}
    return base64.b64encode(zlib.compress(json.dumps(encoded).encode("ascii"))).decode("ascii")


def unpack(text: str | None) -> dict[str, bytes]:
    """Undo `pack`."""
    if not text:
        return {}
    encoded = json.loads(zlib.decompress(base64.b64decode(text)))
    return {path: base64.b64decode(data) for path, data in encoded.items()}


def parse(parameters: Mapping[str, Any]) -> Request:
    """Build the request from the module's parameters.

    Raises TransactionError when something declared cannot be meant.
    """
    contents = unpack(parameters.get("contents"))
    request = Request(
        name=_name(parameters["name"]),
        token=parameters.get("token") or "",
        owner=parameters.get("owner") or "",
        timeout=_timeout(parameters),
        confirm=bool((parameters.get("confirm") or {}).get("login")),
        packages=tuple(parameters["packages"]),
        directories=tuple(_directory(entry) for entry in parameters["directories"]),
        files=tuple(_file(entry, contents) for entry in parameters["files"]),
        owns=tuple(_path(pattern, "owns") for pattern in parameters["owns"]),
        keep_shipped=bool(parameters["keep_shipped"]),
        absent=tuple(_path(path, "absent") for path in parameters["absent"]),
        prepare=tuple(_preparation(entry) for entry in parameters["prepare"]),
        validate=tuple(_validation(entry) for entry in parameters["validate"]),
        units=tuple(_unit(entry) for entry in parameters["units"]),
        activate=tuple(_activation(entry) for entry in parameters["activate"]),
        finish=tuple(_activation(entry) for entry in parameters["finish"]),
        loaded=tuple(_command(command, "loaded") for command in parameters["loaded"]),
        probes=tuple(_probe(entry) for entry in parameters["probes"]),
    )
    _check(request)
    return request


def _timeout(parameters: Mapping[str, Any]) -> int:
    seconds = int((parameters.get("confirm") or {}).get("timeout") or parameters["timeout"])
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise TransactionError(
            f"timeout: {seconds} is not allowed; {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds are"
        )
    return seconds


def _check(request: Request) -> None:
    paths = (
        [entry.path for entry in request.files] + [entry.path for entry in request.directories] + list(request.absent)
    )
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise TransactionError(f"{', '.join(twice)}: declared more than once in transaction {request.name}")
    staged = {entry.path for entry in request.files if entry.link is None}
    commands = [entry.command for entry in request.validate] + [entry.command for entry in request.prepare]
    for path in (path for command in commands for word in command for path in STAGED.findall(word)):
        if path not in staged:
            raise TransactionError(
                f"{{staged:{path}}}: no file with this dest is declared in transaction {request.name}"
            )


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise TransactionError(f"name: {value!r} is not allowed; lower-case letters, digits, - and _ are")
    return value


def _path(value: str, option: str, *, depth: int = 2) -> str:
    normal = os.path.normpath(value)
    if not value.startswith("/") or normal == "/" or normal.count("/") < depth:
        where = "an absolute path" if depth == 1 else "an absolute path below a top-level directory"
        raise TransactionError(f"{option}: {value!r} is not allowed; {where} is")
    return normal


def _mode(value: object, path: str) -> int:
    try:
        mode = int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:  # noqa: PLR2004
        raise TransactionError(f"{path}: mode {value!r} is not octal, such as '0644'")
    return mode


def _command(value: str | Sequence[str], where: str) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
    except ValueError as error:
        raise TransactionError(f"{where}: {value!r}: {error}") from None
    if not words:
        raise TransactionError(f"{where}: an empty command")
    return tuple(words)


def _directory(entry: Mapping[str, Any]) -> Directory:
    path = _path(entry["path"], "directories", depth=1)
    return Directory(path=path, owner=entry["owner"], group=entry["group"], mode=_mode(entry["mode"], path))


def _file(entry: Mapping[str, Any], contents: Mapping[str, bytes]) -> File:
    path = _path(entry["dest"], "files")
    if entry.get("link") is None and entry["dest"] not in contents:
        raise TransactionError(f"{path}: one of template, content, src and link is needed")
    return File(
        path=path,
        content=contents.get(entry["dest"], b""),
        link=entry.get("link"),
        owner=entry["owner"],
        group=entry["group"],
        mode=_mode(entry["mode"], path),
        secret=bool(entry["secret"]),
    )


def _unit(entry: Mapping[str, Any]) -> Unit:
    return Unit(name=entry["name"], state=entry.get("state"), enabled=entry.get("enabled"), masked=entry.get("masked"))


def _activation(entry: Mapping[str, Any]) -> Activation:
    given = [key for key in ("unit", "command", "daemon_reload") if entry.get(key)]
    if len(given) != 1:
        raise TransactionError(f"activate: an entry has one of unit, command and daemon_reload, not {given or 'none'}")
    return Activation(
        unit=entry.get("unit"),
        verb=entry.get("verb") or "reload",
        command=_command(entry["command"], "activate") if entry.get("command") else (),
        undo=_command(entry["undo"], "activate") if entry.get("undo") else (),
        daemon_reload=bool(entry.get("daemon_reload")),
        files=tuple(entry.get("files") or ()),
        timeout=entry.get("timeout") or 60,
    )


def _preparation(entry: Mapping[str, Any]) -> Preparation:
    return Preparation(
        command=_command(entry["command"], "prepare"),
        creates=tuple(_path(path, "prepare") for path in entry["creates"]),
        timeout=entry.get("timeout") or 300,
    )


def _validation(entry: str | Sequence[str] | Mapping[str, Any]) -> Validation:
    if not isinstance(entry, Mapping):
        return Validation(command=_command(entry, "validate"))
    unknown = sorted(set(entry) - {"command", "overlay", "timeout"})
    if unknown or "command" not in entry:
        raise TransactionError(
            f"validate: an entry is a command, or has command, overlay and timeout; not {unknown or entry}"
        )
    overlay: Iterable[str] = entry.get("overlay") or ()
    return Validation(
        command=_command(entry["command"], "validate"),
        overlay=tuple(_path(path, "overlay", depth=1) for path in overlay),
        timeout=int(entry.get("timeout") or 60),
    )


def _probe(entry: Mapping[str, Any]) -> Probe:
    kinds: tuple[Literal["unit", "port", "command", "socket"], ...] = ("unit", "port", "command", "socket")
    given = [kind for kind in kinds if entry.get(kind)]
    if len(given) != 1:
        raise TransactionError(f"probes: an entry has one of {', '.join(kinds)}, not {given or 'none'}")
    kind = given[0]
    return Probe(
        kind=kind,
        target=str(entry[kind]) if kind != "command" else "",
        address=entry.get("address") or "127.0.0.1",
        command=_command(entry["command"], "probes") if kind == "command" else (),
        timeout=entry.get("timeout") or 10,
    )
