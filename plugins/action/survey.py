# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take what the roles' tasks noted for a host to it, and say whether anything differs."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils.survey import pack
from ansible_collections.art32.server.plugins.plugin_utils.surveyed import take_notes


class ActionModule(ActionBase):
    """One execution on the host; none where the controller knows already that something differs."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Whatever cannot be looked at counts as a difference: the roles' own tasks will say what is wrong."""
        super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})  # type: ignore[no-untyped-call]
        noted = take_notes(task_vars or {})
        known = [note["differs"] for note in noted if "differs" in note]
        if known or not noted:
            return _answer(known or ["Nothing was noted for this host"])
        found = self._execute_module(
            module_name="art32.server.survey", module_args={"requests": pack(noted)}, task_vars=task_vars
        )
        if found.get("failed") or "settled" not in found:
            return _answer([str(found.get("msg", "The host's reply was not understood"))])
        return dict(found)


def _answer(differences: list[str]) -> dict[str, Any]:
    return {"changed": False, "settled": not differences, "differences": differences}
