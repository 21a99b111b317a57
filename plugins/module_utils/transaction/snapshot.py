# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep what is going to be changed, in the form in which art32-revert puts it back."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import revert
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["absent", "keep"]


def absent(path: str, *, only_if_empty: bool = False) -> revert.Record:
    """Record that nothing was at a path."""
    return {"path": path, "kind": "absent", **({"only_if_empty": True} if only_if_empty else {})}


def keep(paths: Iterable[str]) -> list[revert.Record]:
    """Copy what is at these paths, whole directories included, and describe it.

    Raises TransactionError when there is no room; nothing was changed then.
    """
    try:
        return [record for path in paths for record in _records(path)]
    except OSError as error:
        raise TransactionError(
            f"Cannot keep a copy of {error.filename}: {error.strerror}; nothing was changed"
        ) from error


def attributes(path: str) -> revert.Record:
    """Describe a directory without what is in it."""
    return {"path": path, **revert.found(path)}


def _records(path: str) -> Iterable[revert.Record]:
    record = {"path": path, **revert.found(path)}
    if record["kind"] == "file":
        record["saved"] = _copy(path)
    yield record
    if record["kind"] == "directory":
        for name in sorted(os.listdir(path)):
            yield from _records(os.path.join(path, name))


def _copy(path: str) -> str:
    directory = revert.SAVED / "files"
    directory.mkdir(mode=0o700, exist_ok=True)
    name = f"{len(os.listdir(directory)):05d}"
    shutil.copy2(path, directory / name)
    revert.sync(directory / name)
    return f"files/{name}"
