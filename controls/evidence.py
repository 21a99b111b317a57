"""What was seen, kept as it was: one file for each output, and an index that says where it came from."""

from __future__ import annotations

__all__ = ["VERSIONS", "Evidence", "NotAssessedError", "Store"]

import json
import re
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import tools

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = "index.json"
VERSIONS = "versions"  # the name of the output that has a host's packages
NOT_FOUND = 127  # the shell's own answer for a command that does not exist


class NotAssessedError(Exception):
    """A check cannot be made; the message is the reason. It never counts as met."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The output of one command on one host. `path` is relative to the bundle, `tool` what said it, and its version."""

    host: str
    name: str
    command: str
    time: str
    rc: int
    stdout: str
    stderr: str
    path: str
    tool: str = ""

    @property
    def text(self) -> str:
        """What the command printed.

        Raises NotAssessedError when the command failed: its silence proves nothing.
        """
        if self.rc == 0:
            return self.stdout
        what = "is missing" if self.rc == NOT_FOUND else f"ended with {self.rc}"
        raise NotAssessedError(f"on {self.host}, {self.command.split()[0]} {what}: {_last_line(self.stderr)}")

    def json(self) -> Any:  # noqa: ANN401 - the shape is the command's
        """What the command printed, as JSON."""
        try:
            return json.loads(self.text)
        except json.JSONDecodeError as error:
            raise NotAssessedError(f"on {self.host}, {self.name} is no JSON: {error}") from error


class Store:
    """The raw outputs of one audit, below one directory."""

    def __init__(self, directory: Path) -> None:
        """Begin an empty collection."""
        self.directory = directory
        self._kept: dict[tuple[str, str], Evidence] = {}
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Evidence], None]] = []

    @classmethod
    def recalled(cls, directory: Path) -> Store:
        """What an earlier audit kept in its directory.

        Raises OSError or ValueError when it cannot be read.
        """
        store = cls(directory)
        for entry in json.loads((directory / "raw" / INDEX).read_text(encoding="utf-8")):
            text = (directory / entry["path"]).read_bytes().decode()
            values = {name: value for name, value in entry.items() if name != "sha256"}
            store._kept[entry["host"], entry["name"]] = Evidence(**values, stdout=text)
        return store

    def on_use(self, listener: Callable[[Evidence], None]) -> None:
        """Call this with every evidence that a check uses."""
        self._listeners.append(listener)

    def keep(  # noqa: PLR0913 - what a process answers has many parts
        self, *, host: str, name: str, command: str, rc: int, stdout: str, stderr: str = "", tool: str = ""
    ) -> Evidence:
        """Write one output down; a command of a managed host needs no `tool`, its packages are asked there."""
        path = self._path(host, name)
        kept = Evidence(
            host=host,
            name=name,
            command=command,
            time=datetime.now(tz=UTC).isoformat(timespec="seconds"),
            rc=rc,
            stdout=stdout,
            stderr=stderr,
            path=str(path),
            tool=tool,
        )
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(stdout, encoding="utf-8")
        with self._lock:
            self._kept[host, name] = kept
        return kept

    def _path(self, host: str, name: str) -> Path:
        """Where an output is written: a name of its own, also where two differ only in what no file's name may have."""
        path = Path("raw", _safe(host), f"{_safe(name)}.txt")
        with self._lock:
            others = {kept.path for key, kept in self._kept.items() if key != (host, name)}
        if str(path) not in others:
            return path
        return path.with_stem(f"{path.stem}-{sha256(f'{host} {name}'.encode()).hexdigest()[:8]}")

    def find(self, host: str, name: str) -> Evidence | None:
        """What is kept under this name."""
        return self._kept.get((host, name))

    def everything(self) -> list[Evidence]:
        """All that is kept, by host and name."""
        return [kept for _, kept in sorted(self._kept.items())]

    def use(self, evidence: Evidence) -> Evidence:
        """Say that the running check rests on this."""
        for listener in self._listeners:
            listener(evidence)
        return evidence

    def tool(self, kept: Evidence) -> str:
        """What said it, with its version."""
        versions = self.find(kept.host, VERSIONS)
        return kept.tool or tools.of_command(kept.command, versions.stdout if versions else "")

    def write_index(self) -> None:
        """List every output with its command, tool, host, time, exit status and digest."""
        entries = [_entry(kept, self.tool(kept)) for kept in self.everything()]
        target = self.directory / "raw" / INDEX
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _entry(kept: Evidence, tool: str) -> dict[str, Any]:
    entry = asdict(kept)
    entry["tool"] = tool
    entry["sha256"] = sha256(entry.pop("stdout").encode()).hexdigest()
    return entry


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "without a message"
