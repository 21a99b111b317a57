# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that survive a kill at any moment, and what is at a path. Part of art32-revert: only Python's own library."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = [
    "Record",
    "found",
    "is_directory",
    "read_json",
    "remove",
    "replace_whole",
    "sync",
    "temporary",
    "write_json",
]

Record = dict[str, Any]


def temporary(path: str) -> str:
    """Name under which the successor of a file waits beside it: hidden, the same in every run."""
    place = Path(path)
    return str(place.with_name(f".art32-{hashlib.sha256(place.name.encode()).hexdigest()[:12]}.new"))


def sync(path: str | Path) -> None:
    """Have a file or a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a whole file or nothing."""
    partial = Path(temporary(str(path)))
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as handle:
            os.fchmod(handle.fileno(), mode)
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        remove(partial)
        raise
    partial.rename(path)
    sync(path.parent)


def write_json(path: Path, value: Record) -> None:
    """Write a state file that only root reads."""
    replace_whole(path, (json.dumps(value, indent=1) + "\n").encode())


def read_json(path: Path) -> Record | None:
    """Read a state file; None when there is none or when it is no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove(path: str | Path) -> None:
    """Remove a file, a link or a whole directory; absence is no error."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if is_directory(path):
            shutil.rmtree(path)
        else:
            Path(path).unlink()


def is_directory(path: str | Path) -> bool:
    """Whether this is a directory itself, not a link to one."""
    return Path(path).is_dir() and not Path(path).is_symlink()


def found(path: str) -> Record:
    """Say what is at a path now, in the form of the plan's records."""
    place = Path(path)
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {"kind": "absent"}
    owner = {"uid": status.st_uid, "gid": status.st_gid}
    if stat.S_ISLNK(status.st_mode):
        return {"kind": "link", "target": str(place.readlink()), **owner}
    owner["mode"] = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return {"kind": "directory", **owner}
    return {"kind": "file", "sha256": hashlib.sha256(place.read_bytes()).hexdigest(), **owner}
