"""Runs commands on the host it is sent to and prints what they said as one JSON document.

It is read by the host's Python from standard input, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "SSH_CONNECTION": " ".join(sys.argv[1:]) or os.environ.get("SSH_CONNECTION", ""),  # which sudo often takes away
}
TIMED_OUT = 124


def run(command: str, timeout: float) -> dict[str, object]:
    """Run one shell line: exit status and both outputs. What does not end is ended, with all that it started."""
    line = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    try:
        stdout, stderr = line.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(line.pid, signal.SIGKILL)
        line.communicate()
        return {"rc": TIMED_OUT, "stdout": "", "stderr": f"no end after {timeout:g} s"}
    return {
        "rc": line.returncode,
        "stdout": stdout.decode(errors="replace"),
        "stderr": stderr.decode(errors="replace"),
    }


def answer(commands: dict[str, str], timeout: float, workers: int) -> dict[str, dict[str, object]]:
    """Run all commands, several at once; the answers by name."""
    with ThreadPoolExecutor(workers) as pool:
        answers = pool.map(lambda command: run(command, timeout), commands.values())
        return dict(zip(commands, answers, strict=True))


def main(commands: dict[str, str], timeout: float, workers: int) -> None:
    """Print what all commands say."""
    json.dump(answer(commands, timeout, workers), sys.stdout)
