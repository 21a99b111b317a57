# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command unless what it makes is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.plugin_utils.surveyed import SurveyedAction

if TYPE_CHECKING:
    from collections.abc import Mapping


class ActionModule(SurveyedAction):
    """The command module, which a survey can ask for."""

    MODULE = "once"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the arguments, then ask."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "command": {"type": "list", "elements": "str", "required": True},
                "creates": {"type": "path", "required": True},
            },
        )
        return self._ask(arguments, task_vars or {})

    def _execute(self, arguments: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.command",
            module_args={"argv": arguments["command"], "creates": arguments["creates"]},
            task_vars=task_vars,
        )
        return answer
