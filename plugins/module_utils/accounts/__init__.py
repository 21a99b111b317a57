# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Personal accounts of the operating system: who has one, and what changes when the list of people does.

Everything the module knows is read by `fetch_state`, everything it does is in the steps of `plan`. An account that
is no longer declared is kept, locked and empty of processes: its files and its number stay its own, so that nobody
who comes later inherits them.
"""

from __future__ import annotations

from .host import apply, fetch_state
from .model import ADMIN_GROUP, FORMER_GROUP, PEOPLE_GROUP, Account, AccountsError, Person, State, Step
from .planning import describe, plan, predict

__all__ = [
    "ADMIN_GROUP",
    "FORMER_GROUP",
    "PEOPLE_GROUP",
    "Account",
    "AccountsError",
    "Person",
    "State",
    "Step",
    "apply",
    "describe",
    "fetch_state",
    "plan",
    "predict",
]
