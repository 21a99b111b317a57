# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather what the watch is given. No host is contacted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """Asks the controls, which know what an audit asks, in a process of its own."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is declared without secrets, whom to trust, what each host may be asked, and the checks."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "environment": {"type": "path", "required": True},
                "host": {"type": "str", "required": True},
            },
        )
        command = [sys.executable, "-m", "controls.unattended", arguments["environment"], arguments["host"]]
        settings = {"ANSIBLE_CONFIG": str(COLLECTION / "ansible.cfg"), **os.environ}
        told = subprocess.run(
            command,
            cwd=COLLECTION,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode != 0:
            raise AnsibleActionFail(f"What the watch is given cannot be gathered: {told.stderr.strip()}")
        return {"changed": False, **json.loads(told.stdout)}
