"""Whether files on a host are the declared ones."""

from __future__ import annotations

__all__ = ["problems"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "root:root"
WRITABLE_BY_OTHERS = 0o022


def problems(listed: str, declared: Mapping[str, str]) -> list[str]:
    """What is wrong with the declared files (path to digest), from lines of owner, mode, digest and path."""
    found = {path: (owner, mode, digest) for owner, mode, digest, path in map(str.split, listed.splitlines())}
    wrong = []
    for path, wanted in sorted(declared.items()):
        owner, mode, digest = found.get(path, ("", "0", ""))
        if not digest:
            wrong.append(f"{path} is missing")
        elif digest != wanted:
            wrong.append(f"{path} is not what this release declares")
        elif owner != OWNER or int(mode, 8) & WRITABLE_BY_OTHERS:
            wrong.append(f"{path} can be changed by others than root ({owner}, mode {mode})")
    return wrong
