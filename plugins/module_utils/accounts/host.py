# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's side: read its accounts, carry steps out."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .model import Account, AccountsError, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["apply", "fetch_state"]

SECONDS_TO_END = 10.0
# Whoever changed sudoers may have taken the system's programs out of root's reach.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def fetch_state(root: Path = Path("/")) -> State:
    """Read the accounts and groups of the host from its own files; other sources of accounts are not ours."""
    shadow = {fields[0]: fields for fields in _records(root / "etc/shadow")}
    members: dict[str, set[str]] = {}
    groups = frozenset(fields[0] for fields in _records(root / "etc/group"))
    for fields in _records(root / "etc/group"):
        for member in filter(None, fields[3].split(",")):
            members.setdefault(member, set()).add(fields[0])
    running = _count_processes(root / "proc")
    accounts = {}
    for name, _, uid, _, comment, _, shell in (fields[:7] for fields in _records(root / "etc/passwd")):
        secret, _, _, maximum, _, _, expires = (shadow.get(name) or [name, "", "", "", "", "", "", ""])[1:8]
        accounts[name] = Account(
            name=name,
            uid=int(uid),
            login_shell=shell,
            comment=comment,
            groups=frozenset(members.get(name, ())),
            has_password=not secret.startswith(("!", "*")),
            expires=expires,
            max_days=maximum,
            lingers=(root / "var/lib/systemd/linger" / name).exists(),
            processes=running.get(int(uid), 0),
        )
    return State(accounts=accounts, groups=groups)


def _records(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split(":")


def _count_processes(proc: Path) -> dict[int, int]:
    counts: dict[int, int] = {}
    for _, uids in _processes(proc):
        for uid in uids:
            counts[uid] = counts.get(uid, 0) + 1
    return counts


def _processes(proc: Path) -> Iterator[tuple[int, set[int]]]:
    """Every process with the users it belongs to: those it runs as, and the one who logged in and became another."""
    for directory in proc.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            status = (directory / "status").read_text(encoding="utf-8", errors="replace")
            login = (directory / "loginuid").read_text(encoding="utf-8")
        except OSError:
            continue  # it ended meanwhile
        line = next((line for line in status.splitlines() if line.startswith("Uid:")), "Uid:")
        yield int(directory.name), {int(uid) for uid in [*line.split()[1:], login.strip() or "0"]}


def apply(steps: Sequence[Step]) -> None:
    """Carry the steps out, in order.

    Raises AccountsError with the tool's own message when one fails.
    """
    for step in steps:
        if step.command:
            _run(step.command)
        if step.ends_uid is not None:
            _end_processes(step.ends_uid)


def _run(command: tuple[str, ...]) -> None:
    settings = {**os.environ, "PATH": PATH}
    program = shutil.which(command[0], path=PATH) or command[0]
    done = subprocess.run((program, *command[1:]), env=settings, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AccountsError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")


def _end_processes(uid: int) -> None:
    """End every session and process of a user; what does not go is killed until nothing is left."""
    subprocess.run(("loginctl", "terminate-user", str(uid)), capture_output=True, check=False)
    deadline = time.monotonic() + SECONDS_TO_END
    while pids := [pid for pid, uids in _processes(Path("/proc")) if uid in uids]:
        if time.monotonic() > deadline:
            raise AccountsError(f"Processes of uid {uid} do not end: {', '.join(map(str, pids))}.")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
