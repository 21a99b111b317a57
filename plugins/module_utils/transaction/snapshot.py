# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep what is going to be changed, in the form in which art32-revert puts it back."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction.disk import Record, found, sync
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import SAVED

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["absent", "attributes", "keep"]


def absent(path: str, *, only_if_empty: bool = False) -> Record:
    """Record that nothing was at a path."""
    return {"path": path, "kind": "absent", **({"only_if_empty": True} if only_if_empty else {})}


def keep(paths: Iterable[str]) -> list[Record]:
    """Copy what is at these paths, whole directories included, and describe it.

    Raises TransactionError when there is no room; nothing was changed then.
    """
    try:
        return [record for path in paths for record in _records(path)]
    except OSError as error:
        raise TransactionError(
            f"Cannot keep a copy of {error.filename}: {error.strerror}; nothing was changed"
        ) from error


def attributes(path: str) -> Record:
    """Describe a directory without what is in it."""
    return {"path": path, **found(path)}


def _records(path: str) -> Iterable[Record]:
    record = {"path": path, **found(path)}
    if record["kind"] == "file":
        record["saved"] = _copy(path)
    yield record
    if record["kind"] == "directory":
        for inside in sorted(Path(path).iterdir()):
            yield from _records(str(inside))


def _copy(path: str) -> str:
    """Keep a copy under a name that is made from the path."""
    name = f"files/{hashlib.sha256(path.encode()).hexdigest()[:32]}"
    (SAVED / "files").mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(path, SAVED / name)
    sync(SAVED / name)
    return name
