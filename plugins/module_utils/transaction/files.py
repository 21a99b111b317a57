# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is at a path, and how it differs from what is declared. Nothing here writes."""

from __future__ import annotations

import glob
import grp
import hashlib
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ansible_collections.art32.server.plugins.module_utils.transaction.disk import is_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Directory, File

__all__ = [
    "Found",
    "as_shipped",
    "differences",
    "find",
    "group_id",
    "group_name",
    "undeclared",
    "user_id",
    "user_name",
]

DPKG_STATUS = Path("/var/lib/dpkg/status")
Kind = Literal["absent", "file", "link", "directory", "other"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is at a path. `content` is read only for regular files, on request; `ctime` in seconds."""

    kind: Kind
    uid: int = 0
    gid: int = 0
    mode: int = 0
    target: str = ""
    content: bytes = b""
    ctime: float = 0.0


ABSENT = Found(kind="absent")


def find(path: str, *, follow: bool = False) -> Found:
    """Look at a path. A link is itself unless `follow`, which directories want."""
    place = Path(path)
    try:
        status = place.stat() if follow else place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    kind: Kind = "other"
    target, content = "", b""
    if stat.S_ISREG(status.st_mode):
        kind, content = "file", place.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        kind, target = "link", str(place.readlink())
    elif stat.S_ISDIR(status.st_mode):
        kind = "directory"
    return Found(
        kind=kind,
        uid=status.st_uid,
        gid=status.st_gid,
        mode=stat.S_IMODE(status.st_mode),
        target=target,
        content=content,
        ctime=status.st_ctime_ns / 1e9,
    )


def user_id(name: str) -> int | None:
    """Number of a user, None when there is no such user."""
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_id(name: str) -> int | None:
    """Number of a group, None when there is no such group."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def user_name(number: int) -> str:
    """Name of a user, the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """Name of a group, the number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def differences(declared: File | Directory, found: Found) -> tuple[str, ...]:
    """Name what differs: `kind`, `content`, `target`, `owner`, `group`, `mode`; nothing when all is as declared."""
    link = getattr(declared, "link", None)
    content = getattr(declared, "content", None)
    kind: Kind = "directory" if content is None else "link" if link is not None else "file"
    if found.kind != kind:
        return ("kind",)
    differing = {
        "target": kind == "link" and found.target != link,
        "content": kind == "file" and found.content != content,
        "owner": found.uid != user_id(declared.owner),
        "group": found.gid != group_id(declared.group),
        "mode": kind != "link" and found.mode != declared.mode,
    }
    return tuple(name for name, differs in differing.items() if differs)


def undeclared(patterns: Iterable[str], declared: Iterable[str]) -> tuple[str, ...]:
    """Files and links that match an owned pattern and that nobody declared. Directories are never meant."""
    known = set(declared)
    matching = {path for pattern in patterns for path in glob.glob(pattern)}  # noqa: PTH207 - absolute patterns
    return tuple(sorted(path for path in matching - known if not is_directory(path)))


def as_shipped(paths: Iterable[str], *, status: Path = DPKG_STATUS) -> set[str]:
    """Those that are configuration files of Debian's packages, with the very content that the package has."""
    found = {path: find(path) for path in paths}
    known = set(status.read_text(encoding="utf-8").splitlines()) if found else set()
    sums = {path: hashlib.md5(one.content, usedforsecurity=False).hexdigest() for path, one in found.items()}
    return {path for path, one in found.items() if one.kind == "file" and f" {path} {sums[path]}" in known}
