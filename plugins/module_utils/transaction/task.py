# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How what the module transaction is asked for compares with the host."""

from __future__ import annotations

__all__ = ["SPECIFICATION", "look"]

from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look
from ansible_collections.art32.server.plugins.module_utils.transaction import stamp
from ansible_collections.art32.server.plugins.module_utils.transaction.compare import compare
from ansible_collections.art32.server.plugins.module_utils.transaction.manifest import requested
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import pending_plan
from ansible_collections.art32.server.plugins.module_utils.transaction.specification import SPECIFICATION

if TYPE_CHECKING:
    from collections.abc import Mapping


def look(params: Mapping[str, Any], *, check: bool) -> Look:
    """Say what differs; what is equal is vouched for again, as a run of the task would.

    Raises TransactionError when something declared cannot be meant.
    """
    if pending_plan() is not None:
        return Look(differences=("A transaction is pending",))
    request = requested(params)
    comparison = compare(request)
    if not comparison.changes and not check:
        stamp.refresh(request, comparison.evidence)
    return Look(differences=tuple(f"{request.name}: {change.sentence}" for change in comparison.changes))
