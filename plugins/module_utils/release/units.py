# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The units of a service: what they do now, and orders to them."""

from __future__ import annotations

__all__ = ["Running", "asked", "fetch_running", "last_words", "order", "program_unit", "unit"]

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .model import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Longer than a unit may be declared to take.
ORDER_SECONDS = 3600
JOURNAL_LINES = 25
Kind = Literal["", "-candidate", "-migrate"]


@dataclass(frozen=True, kw_only=True)
class Running:
    """What the service's process and its further ones run, and whether its socket listens."""

    release: str = ""
    is_listening: bool = False
    processes: Mapping[str, str] = field(default_factory=dict)


def unit(name: str, kind: Kind = "", suffix: str = "service") -> str:
    """The name of one of a service's units."""
    return f"art32-{name}{kind}.{suffix}"


def program_unit(name: str, program: str, suffix: str = "service") -> str:
    """The name of the unit of one of a service's further programs. No service has a dot in its name."""
    return f"art32-{name}.{program}.{suffix}"


def fetch_running(services: Mapping[str, Iterable[str]]) -> dict[str, Running]:
    """Every service's running releases, by one question to systemd; given are the processes of each service."""
    programs = {name: {process: program_unit(name, process) for process in of} for name, of in services.items()}
    own = [unit(name, suffix=suffix) for name in services for suffix in ("service", "socket")]
    wanted = own + [one for of in programs.values() for one in of.values()]
    if not wanted:
        return {}
    command = ["systemctl", "show", "--property=Id,ActiveState,MainPID", *wanted]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in told.strip().split("\n\n") if block]
    states = {state["Id"]: state for state in units}
    return {
        name: Running(
            release=_release_of(states.get(unit(name), {})),
            is_listening=states.get(unit(name, suffix="socket"), {}).get("ActiveState") == "active",
            processes={process: _release_of(states.get(one, {})) for process, one in of.items()},
        )
        for name, of in programs.items()
    }


def asked(name: str, *properties: str) -> list[str]:
    """The values of a unit's properties, in their order."""
    command = ["systemctl", "show", f"--property={','.join(properties)}", name]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return [values.get(one, "") for one in properties]


def order(verb: str, *names: str) -> None:
    """Give systemd an order and wait. Raises ReleaseError with the unit's last words."""
    began = time.time()
    command = ["systemctl", verb, *names]
    name = " ".join(names)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ORDER_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"{verb} {name}: no end after {ORDER_SECONDS} s\n{last_words(name, began)}") from error
    if done.returncode != 0:
        complaint = done.stderr.strip().splitlines()[:1]
        raise ReleaseError(f"{verb} {name} failed: {' '.join(complaint)}\n{last_words(name, began)}")


def _release_of(state: dict[str, str]) -> str:
    """The release a running process was started in: its working directory, whatever links say by now."""
    if state.get("ActiveState") != "active":
        return ""
    try:
        return Path(os.readlink(f"/proc/{state['MainPID']}/cwd")).name  # noqa: PTH115 - may lead outside this namespace
    except OSError:
        return ""


def last_words(name: str, began: float) -> str:
    """The end of what units wrote since then."""
    subprocess.run(["journalctl", "--sync"], capture_output=True, check=False)
    units = [f"--unit={one}" for one in name.split()]
    command = ["journalctl", *units, f"--since=@{int(began)}", "--output=cat", "--no-pager", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    # Not by --lines: with --since, systemd 252 gives the first ones.
    return "\n".join(done.stdout.strip().splitlines()[-JOURNAL_LINES:]) or "its journal says nothing"
