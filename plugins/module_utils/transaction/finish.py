# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What follows when a change is final and nothing takes it back any more."""

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.art32.server.plugins.module_utils.transaction import pending, stamp
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import read_json, write_json
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

__all__ = ["FinishError", "finish", "is_owed"]


class FinishError(TransactionError):
    """The change is final, but something that has to follow failed; it stays owed."""

    is_final = True


def is_owed(name: str) -> bool:
    """Whether anything has to follow."""
    return bool(_owed(name))


def _owed(name: str) -> list[dict[str, Any]]:
    state = read_json(stamp.state_path(name)) or {}
    return list(state.get("owed", []))


def finish(name: str) -> list[str]:
    """Run what is owed, in order, each once. Returns what the commands said.

    Raises FinishError when one fails: it and those after it stay owed, and the next run of the transaction runs them.
    """
    said = []
    while owed := _owed(name):
        first, *others = owed
        status, output = pending.run(first["command"], timeout=first["timeout"])
        if status != 0:
            what = f"{shlex.join(first['command'])}: {output or f'exit status {status}'}"
            raise FinishError(f"The change of {name} is final, but what has to follow failed: {what}")
        state = read_json(stamp.state_path(name)) or {}
        write_json(stamp.state_path(name), {**state, "owed": others})
        said += output.splitlines()
    return said
