# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tasks that a survey can take to the host together: while one is made, they note what they ask for.

A play with the variable `__survey` runs the same roles as any other; only the host is not asked. The notes lie in the
run's own temporary directory on the controller, which is its user's alone and goes with the run.
"""

from __future__ import annotations

__all__ = ["ModuleAction", "SurveyedAction", "is_surveying", "note_difference", "take_notes"]

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils.declaration.documents import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

Result = dict[str, Any]
VARIABLE = "__survey"


class SurveyedAction(ActionBase):
    """Can have its module run, or only note the module's arguments."""

    MODULE = ""
    _supports_check_mode = True

    def _ask(self, arguments: Mapping[str, Any], task_vars: Result) -> Result:
        """Have the module's answer; while a survey is made, that nothing changed."""
        if is_surveying(task_vars):
            _note(task_vars, {"module": self.MODULE, "arguments": arguments})
            return {"changed": False}
        return self._execute(arguments, task_vars)

    def _execute(self, arguments: Mapping[str, Any], task_vars: Result) -> Result:
        """Run the module on the host."""
        answer: Result = self._execute_module(
            module_name=f"art32.server.{self.MODULE}", module_args=dict(arguments), task_vars=task_vars
        )
        return answer


class ModuleAction(SurveyedAction):
    """Nothing but its module."""

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Ask for what the task has."""
        super().run(tmp, task_vars)
        return self._ask(self._task.args, task_vars or {})


def is_surveying(task_vars: Mapping[str, Any]) -> bool:
    """Whether tasks are to note what they ask for."""
    return bool(boolean(task_vars.get(VARIABLE, False)))


def note_difference(task_vars: Mapping[str, Any], sentence: str) -> None:
    """Note what is known to differ without asking the host."""
    _note(task_vars, {"differs": sentence})


def take_notes(task_vars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was noted for this host, in order; it is forgotten then."""
    taken = []
    for path in sorted(_place(task_vars).glob("*.json")):
        taken.append(json.loads(path.read_text(encoding="utf-8")))
        path.unlink()
    return taken


def _note(task_vars: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    place = _place(task_vars)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = len(list(place.iterdir()))
    (place / f"{number:04}.json").write_text(json.dumps(plain(request)), encoding="utf-8")


def _place(task_vars: Mapping[str, Any]) -> Path:
    parent = constants.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]
    return Path(parent) / "survey" / quote(task_vars["inventory_hostname"], safe="")
