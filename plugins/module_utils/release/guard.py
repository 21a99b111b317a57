# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits beside a migration, and acts when its release is killed."""

from __future__ import annotations

__all__ = ["PROGRAM", "program", "stand_by"]

from pathlib import Path

from ansible_collections.art32.server.plugins.module_utils.archive import archive
from ansible_collections.art32.server.plugins.module_utils.release import (
    database,
    lock,
    maintenance,
    model,
    place,
    resume,
    units,
)
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import replace_whole

# The unit is of the role app; it comes with the next run of the site where there is none.
UNIT = "art32-resume@{}.service"
PROGRAM = Path("/usr/local/lib/art32/app-resume")
_PARTS = (database, lock, maintenance, model, place, resume, units)


def program() -> bytes:
    """Make one file of the modules that let a service serve again."""
    return archive("art32_release", _PARTS, main="resume")


def stand_by(name: str, *, directory: Path = place.UNITS) -> None:
    """Let the service serve again even when this process is killed: the unit waits for its lock."""
    if not (directory / UNIT.format("")).exists():
        return
    content = program()
    if not PROGRAM.is_file() or PROGRAM.read_bytes() != content:
        replace_whole(PROGRAM, content, mode=0o755)
    units.order("restart", UNIT.format(name))
