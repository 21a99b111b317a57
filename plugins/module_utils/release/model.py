# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked for, what is found, and the steps between them."""

from __future__ import annotations

__all__ = ["ReleaseError", "State", "Step", "Wanted", "lines", "steps"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Step = Literal["repair", "build", "migrate", "check", "switch", "restart", "processes", "tidy"]


class ReleaseError(Exception):
    """A release that could not be taken over; the message says why and what serves now."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A service's release as declared.

    `processes` and `jobs` are the names of its further programs. `inputs` is a directory with requirements.txt and,
    unless a package has it all, a wheel; it comes only when the host lacks the release.
    """

    name: str
    release: str
    source: str = ""
    migrates: bool = False
    owner: str = ""
    processes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    inputs: str = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """A service as it is: releases by their id, an empty text where there is none.

    `processes` has what each further process runs; `undeclared` are units of programs that are declared no longer.
    """

    built: bool = False
    migrated: bool = False
    current: str = ""
    running: str = ""
    is_listening: bool = False
    owner_may_login: bool = False
    in_maintenance: bool = False
    processes: Mapping[str, str] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()


def steps(wanted: Wanted, state: State) -> tuple[Step, ...]:
    """What has to be done, in order; nothing when the release serves.

    A release is checked before it becomes the current one, so an interrupted run goes on where it stopped.
    """
    is_current = state.current == wanted.release
    due: dict[Step, bool] = {
        "repair": state.owner_may_login or state.in_maintenance,
        "build": not state.built,
        "migrate": wanted.migrates and not (state.built and state.migrated),
        "check": not is_current,
        "switch": not is_current,
        "restart": not is_current or state.running != wanted.release or not state.is_listening or not state.built,
        "processes": any(not is_current or state.processes.get(name) != wanted.release for name in wanted.processes),
        "tidy": bool(state.undeclared),
    }
    return tuple(step for step, is_due in due.items() if is_due)


def lines(name: str, *, current: str, running: str) -> str:
    """A service's state for a diff."""
    return f"{name}: release {current or 'none'}, running {running or 'nothing'}\n"
