# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back: which release served before, and which one was taken back."""

from __future__ import annotations

__all__ = ["PREVIOUS", "target", "withdraw", "withdrawal"]

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .model import ReleaseError

if TYPE_CHECKING:
    from .place import Place

PREVIOUS = "previous"


def target(place: Place, wanted: str) -> str:
    """The release to go back to: the one named, by its first digits, or the last that served before the current one.

    Raises ReleaseError when there is none.
    """
    current = place.linked("current")
    served = [identity for identity in place.served() if identity != current]
    if wanted == PREVIOUS:
        able = [identity for identity in served if not place.note(identity).get("withdrawn")]
    else:
        able = [identity for identity in served if identity.startswith(wanted)]
    if able:
        return able[0]
    known = ", ".join(served) or "none"
    raise ReleaseError(f"{place.name}: there is no release {wanted} to go back to; those that served before: {known}")


def withdraw(place: Place, identity: str, *, by: str, reason: str) -> None:
    """Note that a release was taken back: what is declared does not bring it back by itself."""
    taken = {"by": by, "time": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason}
    place.write_note(identity, {**place.note(identity), "withdrawn": taken})


def withdrawal(place: Place, identity: str) -> str:
    """Who took a release back, when and why; an empty text when nobody did."""
    taken = place.note(identity).get("withdrawn")
    if not taken:
        return ""
    why = f" ({taken['reason']})" if taken.get("reason") else ""
    return f"{taken.get('by', 'somebody')} took it back on {taken.get('time', 'an unknown day')}{why}"
