# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a service's releases lie on its host, and what is written down about them.

/srv/SERVICE/releases/ID/    a virtual environment with the service in it
/srv/SERVICE/current         link to the release that serves
/srv/SERVICE/candidate       link to the release that is being taken over
/srv/SERVICE/releases.jsonl  one line per release taken over or refused: when, who, what
"""

from __future__ import annotations

__all__ = ["Place"]

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path("/srv")
NOTE = "release.json"
UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Place:
    """The directories of one service."""

    name: str
    root: Path = ROOT

    @property
    def home(self) -> Path:
        """Everything of the service."""
        return self.root / self.name

    @property
    def journal(self) -> Path:
        """The record of releases."""
        return self.home / "releases.jsonl"

    @property
    def owner_login(self) -> Path:
        """Exists while a migration runs, for which the database's owner may log in."""
        return self.home / ".owner-login"

    def release(self, identity: str) -> Path:
        """A release's directory."""
        return self.home / "releases" / identity

    def linked(self, link: str) -> str:
        """The release a link leads to, an empty text for none."""
        try:
            return (self.home / link).readlink().name
        except OSError:
            return ""

    def link(self, link: str, identity: str) -> None:
        """Let a link lead to a release, in one step."""
        new = self.home / f".{link}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path("releases") / identity)
        new.replace(self.home / link)

    def unlink(self, link: str) -> None:
        """Remove a link."""
        (self.home / link).unlink(missing_ok=True)

    def note(self, identity: str) -> dict[str, Any]:
        """What is known about a finished release; nothing for one that this host's Python cannot run."""
        directory = self.release(identity)
        packages = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        if not packages.is_dir() or not (directory / "bin" / "python").exists():
            return {}
        try:
            note = json.loads((directory / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def write_note(self, identity: str, note: Mapping[str, Any]) -> None:
        """Finish a release or learn something about it."""
        file = self.release(identity) / NOTE
        new = file.with_suffix(".new")
        new.write_text(json.dumps(note, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(file)

    def record(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the record."""
        with self.journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def prune(self, *, keep: int, spare: Iterable[str]) -> list[str]:
        """Remove all but the last releases and those to spare, refused ones first; say which."""
        releases = [path.name for path in (self.home / "releases").glob("*") if path.is_dir()]
        oldest = sorted(releases, key=self._released)[: max(0, len(releases) - keep)]
        gone = [identity for identity in oldest if identity not in set(spare)]
        for identity in gone:
            shutil.rmtree(self.release(identity))
        return gone

    def served(self) -> list[str]:
        """The releases here that have served, the last one first."""
        releases = [path.name for path in (self.home / "releases").glob("*") if self._released(path.name)]
        return sorted(releases, key=self._released, reverse=True)

    def _released(self, identity: str) -> str:
        """When the release last was taken over; before everything for one that was refused or is unfinished."""
        return str(self.note(identity).get("released", ""))
