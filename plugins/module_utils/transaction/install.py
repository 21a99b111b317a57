# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put the declared files in place: all are written beside their places first, then renamed one after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import files
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import remove, sync, temporary
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Directory, File

__all__ = ["install", "make_directory", "missing_parents", "owner_of"]


def owner_of(entry: File | Directory) -> tuple[int, int]:
    """Numbers of the declared owner and group.

    Raises TransactionError when there is no such account.
    """
    user, group = files.user_id(entry.owner), files.group_id(entry.group)
    if user is None:
        raise TransactionError(f"{entry.path}: there is no user {entry.owner}")
    if group is None:
        raise TransactionError(f"{entry.path}: there is no group {entry.group}")
    return user, group


def missing_parents(path: str) -> list[str]:
    """Directories above a path that do not exist, the highest first."""
    return [str(parent) for parent in reversed(Path(path).parents) if not parent.exists()]


def make_directory(entry: Directory) -> None:
    """Make a directory, or give it the declared owner and mode."""
    user, group = owner_of(entry)
    for parent in missing_parents(entry.path):
        Path(parent).mkdir(mode=0o755)
    Path(entry.path).mkdir(mode=0o700, exist_ok=True)
    os.chown(entry.path, user, group)
    Path(entry.path).chmod(entry.mode)


def install(entries: Sequence[File], removals: Sequence[str]) -> None:
    """Write, then rename; then remove what nobody declared.

    Raises TransactionError when a file cannot be written; no file has been replaced then.
    """
    for entry in entries:
        try:
            _write_beside(entry)
        except (OSError, TransactionError) as error:
            _forget(entries)
            raise _explained(entry, error) from error
    for entry in entries:
        Path(temporary(entry.path)).rename(entry.path)
    for path in removals:
        remove(path)
    for directory in {Path(path).parent for path in [*(entry.path for entry in entries), *removals]}:
        if directory.is_dir():
            sync(directory)


def _explained(entry: File, error: OSError | TransactionError) -> TransactionError:
    if isinstance(error, TransactionError):
        return error
    if isinstance(error, FileNotFoundError):
        return TransactionError(f"Cannot write {entry.path}: its directory does not exist; declare it in directories")
    return TransactionError(f"Cannot write {entry.path}: {error.strerror}")


def _write_beside(entry: File) -> None:
    user, group = owner_of(entry)
    partial = temporary(entry.path)
    remove(partial)
    if entry.link is not None:
        Path(partial).symlink_to(entry.link)
        os.chown(partial, user, group, follow_symlinks=False)
        return
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(entry.content)
        os.fchown(handle.fileno(), user, group)
        os.fchmod(handle.fileno(), entry.mode)
        handle.flush()
        os.fsync(handle.fileno())


def _forget(entries: Sequence[File]) -> None:
    for entry in entries:
        remove(temporary(entry.path))
