# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let a service serve again whose release was killed. Part of app-resume: only Python's own library.

The program app-resume waits beside a migration (guard.py). The kernel frees the release's lock however the release
ends; one that has ended well, or was refused, leaves nothing to do.
"""

from __future__ import annotations

__all__ = ["end_migration", "resume", "serve_again", "start"]

import math
import sys
from typing import TYPE_CHECKING

from . import maintenance
from .database import revoke_login
from .lock import held
from .model import ReleaseError
from .place import UNITS, Place
from .units import order, unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def end_migration(name: str, *, units: Path = UNITS) -> None:
    """End a migration that nobody waits for; what it had begun is undone by the database."""
    migration = unit(name, "-migrate")
    if (units / migration).exists():
        order("stop", migration)


def serve_again(place: Place, processes: Sequence[str]) -> None:
    """Start what was stopped for a migration."""
    maintenance.end(place.name)
    if place.linked("current"):
        order("reset-failed", f"art32-{place.name}.*")
        order("start", unit(place.name), *processes)


def resume(place: Place, *, units: Path = UNITS) -> None:
    """Undo what a killed release left behind: visitors first, then the owner's login, whatever becomes of the first."""
    if not (place.owner_login.exists() or maintenance.is_on(place.name)):
        return
    sys.stderr.write(f"The release of {place.name} was killed: its migration ends, the release before serves\n")
    end_migration(place.name, units=units)
    place.unlink("candidate")
    try:
        if maintenance.is_on(place.name):
            # What a boot starts.
            serve_again(place, _enabled_processes(place.name, units))
    finally:
        if place.owner_login.exists():
            revoke_login(place.owner_login)


def _enabled_processes(name: str, units: Path) -> list[str]:
    return sorted(path.name for path in (units / "multi-user.target.wants").glob(f"art32-{name}.*.service"))


def start() -> None:
    """Wait until no release is under way, then see to the service that is named."""
    try:
        with held("app-resume", timeout=math.inf):
            resume(Place(sys.argv[1]))
    except ReleaseError as error:
        sys.exit(str(error))
