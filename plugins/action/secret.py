# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Replace a secret of an environment; the former one is kept until it is proved to be refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import Problem
from ansible_collections.art32.server.plugins.module_utils.declaration.site import texts_of
from ansible_collections.art32.server.plugins.plugin_utils.environment_files import (
    EnvironmentFiles,
    below,
    fresh_secret,
    with_value,
    without,
)

VAULT_PASSWORD = "vault_password"  # noqa: S105 - a name
BACKUPS = "vault_backup_cipher_pass"
# What stays, and why.
KEPT = {
    re.compile(BACKUPS): "it stays: the backups can be read by it alone; a new repository gets a new one",
    re.compile(r"vault_\w+_data_key"): "it stays: what the service encrypted by it can be read by it alone",
    re.compile("vault_certbot_dns_key_secret"): "it stays: the name server made it; ansible-vault edit writes another",
}
FORMER = "vault_former"


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Replace, or drop what was replaced."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "environment": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["replaced", "settled"], "default": "replaced"},
            },
        )
        files, name = EnvironmentFiles(Path(arguments["environment"])), str(arguments["name"])
        vault = files.vault()
        if name == VAULT_PASSWORD:
            if arguments["state"] == "replaced" and not self._task.check_mode:
                files.change_password()
            return {"changed": arguments["state"] == "replaced"}
        known = [path for key, value in vault.items() if key != FORMER for path in texts_of(key, value)]
        if name not in known or kept_because(name):
            named = " or ".join([VAULT_PASSWORD, *(path for path in known if not kept_because(path))])
            said = f"{kept_because(name)}. Others are replaced: {named}" if kept_because(name) else named
            raise AnsibleActionFail(str(Problem(variable="secret", value=name, allowed=said)))
        former = vault.get(FORMER) or {}
        if arguments["state"] == "settled":
            wanted = {**vault, FORMER: {path: value for path, value in former.items() if path != name}}
            wanted = wanted if wanted[FORMER] else without(wanted, FORMER)
        elif name in former:
            wanted = vault
        else:
            wanted = with_value(vault, name, fresh_secret()) | {FORMER: {**former, name: below(vault, name)}}
        if wanted != vault and not self._task.check_mode:
            files.write_vault(wanted)
        return {"changed": wanted != vault}


def kept_because(name: str) -> str:
    """Why a secret is never replaced; empty when it can be."""
    return next((reason for pattern, reason in KEPT.items() if pattern.fullmatch(name)), "")
