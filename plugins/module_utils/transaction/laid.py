# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the transaction lays down for itself: a list of it like a role's (`manifest`), and what differs from it.

Every run asks, so this loads nothing that a run without changes does not need.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import disk, files, pending

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SCRIPT", "Piece", "differing", "lay", "lay_all"]

SCRIPT = Path("/usr/local/sbin/art32-revert")
LIST = pending.LISTS / "art32-revert.json"
# What would change the units.
OWNED = f"{pending.UNITS}/art32-revert-*.d/*"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A file with its content and mode, or a link."""

    path: Path
    content: bytes = b""
    mode: int = 0o644
    link: str = ""

    @property
    def record(self) -> disk.Record:
        """What `disk.found` says where it is as it has to be."""
        if self.link:
            return {"kind": "link", "target": self.link, "uid": 0, "gid": 0}
        digest = hashlib.sha256(self.content).hexdigest()
        return {"kind": "file", "sha256": digest, "uid": 0, "gid": 0, "mode": self.mode}

    @property
    def listed(self) -> disk.Record:
        """The way a role's list has it."""
        told = {"link": self.link} if self.link else {"sha256": self.record["sha256"]}
        return {"owner": "root", "group": "root", "mode": f"{self.mode:04o}", **told}


def differing() -> list[str]:
    """What is not as the list has it, or is there besides; before the first transaction nothing is."""
    listed = disk.read_json(LIST)
    if listed is None:
        return [str(SCRIPT)] if os.path.lexists(SCRIPT) else []
    return [path for path, entry in listed["files"].items() if not _is(path, entry)] + _strangers()


def lay_all(pieces: Iterable[Piece]) -> None:
    """Lay down what art32-revert is made of, where it differs, and note it; what changes its units goes."""
    laid = list(pieces)
    for piece in laid:
        if disk.found(str(piece.path)) != piece.record:
            _lay(piece)
    for stranger in _strangers():
        disk.remove(stranger)
    _note(LIST, laid, owns=[OWNED])


def lay(pieces: Iterable[Piece]) -> None:
    """Lay down what there is as long as a transaction is pending, and note it; `pending.disarm` removes both."""
    laid = list(pieces)
    for piece in laid:
        _lay(piece)
    _note(pending.WAITING_LIST, laid)


def _lay(piece: Piece) -> None:
    piece.path.parent.mkdir(parents=True, exist_ok=True)
    if piece.link:
        disk.remove(piece.path)
        piece.path.symlink_to(piece.link)
    else:
        disk.replace_whole(piece.path, piece.content, mode=piece.mode)


def _strangers() -> list[str]:
    return list(files.undeclared([OWNED], []))


def _is(path: str, entry: disk.Record) -> bool:
    found = disk.found(path)
    if "link" in entry:
        return bool(found.get("target") == entry["link"])
    told = {name: found.get(name) for name in ("kind", "sha256", "uid", "gid", "mode")}
    return told == {"kind": "file", "sha256": entry["sha256"], "uid": 0, "gid": 0, "mode": int(entry["mode"], 8)}


def _note(path: Path, pieces: Iterable[Piece], owns: Iterable[str] = ()) -> None:
    value = {
        "name": path.stem,
        "files": {str(piece.path): piece.listed for piece in pieces},
        "directories": {},
        "absent": [],
        "owns": list(owns),
        "units": {},
        "packages": [],
    }
    if disk.read_json(path) != value:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        disk.write_json(path, value)
