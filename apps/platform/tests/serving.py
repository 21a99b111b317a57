"""The platform's code, served by gunicorn as on a server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_SECONDS = 120


@contextmanager
def served(environment: Mapping[str, str], log: Path, *options: str | Path, port: int = 0) -> Iterator[int]:
    """Serve until the end of the block, and give the port: without one, the system chooses it.

    Raises TimeoutError, with the log, when the application does not come up.
    """
    command = [sys.executable, "-m", "gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", *options]
    with log.open("w") as sink:
        server = subprocess.Popen([*command, "art32_platform.wsgi"], env=environment, stdout=sink, stderr=sink)
    try:
        yield _port(server, log)
    finally:
        server.terminate()
        server.wait(START_SECONDS)


def _port(server: subprocess.Popen[bytes], log: Path) -> int:
    """Where it listens: with `--preload` it does when the application is loaded."""
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        found = re.search(r"Listening at: https?://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise TimeoutError(log.read_text())
