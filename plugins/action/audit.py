# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run every check of the catalogue against an environment and keep the evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.constants import INTERNAL_STATIC_VARS
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template
from ansible.utils.display import Display
from ansible_collections.art32.server.plugins.module_utils.audit import AuditError, audit

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDEST_REASON = 100
SPEC = {
    "environment": {"type": "path", "required": True},
    "directory": {"type": "path", "required": True},
    "kinds": {"type": "str", "choices": ["observe", "scan", "exercise", "all"], "default": "observe"},
}


class ActionModule(ActionBase):
    """The checks connect by themselves; Ansible's own connection is not used."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the report is and what is open; fail when something is."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=SPEC)  # type: ignore[no-untyped-call]
        try:
            told = json.dumps(inventory(task_vars or {}), sort_keys=True)
            bundle = audit(Path(arguments["environment"]), Path(arguments["directory"]), arguments["kinds"], told)
        except AuditError as error:
            raise AnsibleActionFail(str(error)) from error
        report, missing = read(bundle / "report.json"), read(bundle / "open.json")
        Display().display("\n".join(["", *table(report["controls"]), "", str(bundle / "report.html"), ""]))
        said = f"{len(missing)} points are open" if missing else "Every promise is kept, or its exception is declared"
        return {
            "changed": False,
            "failed": bool(missing),
            "msg": f"{said}: {bundle / 'report.html'}",
            "open": missing,
            "directory": str(bundle),
        }


def inventory(task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """What this run has read of the inventory, in the form of `ansible-inventory --list`, which would read it again."""
    groups, hostvars = task_vars["groups"], task_vars["hostvars"]
    members = {str(name): {"hosts": [str(host) for host in hosts]} for name, hosts in groups.items() if hosts}
    return {**members, "_meta": {"hostvars": {str(host): _variables(hostvars.raw_get(host)) for host in hostvars}}}


def _variables(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _as_json(value) for name, value in raw.items() if name not in INTERNAL_STATIC_VARS}


def _as_json(value: Any) -> Any:  # noqa: ANN401 - as declared
    """A value as JSON has it; a text that is no template, whatever it looks like, is marked as Ansible does."""
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {"true" if key is True else str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_json(entry) for entry in value]
    text = str(value)
    is_text = isinstance(value, str) and not is_trusted_as_template(value) and ("{{" in text or "{%" in text)
    return {"__ansible_unsafe": text} if is_text else text


def table(controls: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each control and host."""
    rows = [(entry["id"], entry["host"] or "-", entry["status"], shorten(entry["reason"])) for entry in controls]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [line(row, widths) for row in rows]


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    """A row with its columns aligned."""
    return "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]).rstrip()


def shorten(reason: str) -> str:
    """As much of a reason as stands on a terminal's line."""
    return reason if len(reason) <= WIDEST_REASON else f"{reason[:WIDEST_REASON]}..."


def read(path: Path) -> Any:  # noqa: ANN401 - as the file has it
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
