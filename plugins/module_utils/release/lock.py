# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One release at a time on a host."""

from __future__ import annotations

__all__ = ["held"]

import fcntl
import json
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .model import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = Path("/run/lock/art32-release")
PAUSE = 0.5


@contextmanager
def held(by: str, *, timeout: float, path: Path = LOCK) -> Iterator[None]:
    """Hold the lock; whoever waits longer than `timeout` seconds is told who has it. The kernel frees it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, timeout)
        os.ftruncate(descriptor, 0)
        note = {"by": by, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise ReleaseError(_refusal(descriptor, timeout)) from None
            time.sleep(PAUSE)
        else:
            return


def _refusal(descriptor: int, timeout: float) -> str:
    try:
        note = json.loads(os.pread(descriptor, 1000, 0))
    except ValueError:
        note = {}
    who = f"{note.get('by', 'somebody')} since {note.get('since', 'a moment')}"
    return f"Another release is under way on this host ({who}); waited {timeout:g} s (lock_timeout)"
