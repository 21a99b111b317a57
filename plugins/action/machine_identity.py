# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certify a machine's key: the host makes and keeps the key, the controller signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils import access
from ansible_collections.art32.server.plugins.module_utils.host_facts import IDENTITIES
from ansible_collections.art32.server.plugins.plugin_utils.authority import signing
from ansible_collections.art32.server.plugins.plugin_utils.surveyed import is_surveying, note_difference


class ActionModule(ActionBase):
    """Reaches the host only when its certificate, as read at login, is not good any more."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the certificate that the host has to have."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "name": {"type": "str", "required": True},
                "account": {"type": "str", "required": True},
                "home": {"type": "path", "default": "/nonexistent"},
                "principals": {"type": "list", "elements": "str", "required": True},
                "force_command": {"type": "str", "required": True},
                "addresses": {"type": "list", "elements": "str", "required": True},
                "validity_days": {"type": "int", "default": 365},
            },
        )
        self._vars = task_vars or {}
        self._renewed_below = timedelta(days=arguments["validity_days"]) / 3
        try:
            changed, certificate = self._certificate(arguments)
        except access.AccessError as error:
            raise AnsibleActionFail(str(error)) from error
        key = f"{IDENTITIES}/{arguments['name']}"
        return {
            "changed": changed,
            "certificate": certificate,
            "certificate_path": f"{key}-cert.pub",
            "key_path": key,
        }

    def _certificate(self, arguments: dict[str, Any]) -> tuple[bool, str]:
        """Whether something changed, and the certificate's line."""
        request = self._request(arguments)
        known = self._vars.get("ansible_facts", {}).get("art32_identities", {})
        public, certificate = (known.get(f"{arguments['name']}{suffix}", "") for suffix in (".pub", "-cert.pub"))
        if public and self._is_good(certificate, public, request):
            return False, certificate
        if is_surveying(self._vars):
            note_difference(self._vars, f"The certificate of {arguments['name']} is not good for long enough")
            return False, certificate
        found = self._ask_host(arguments)
        if not found["public"]:
            return True, ""
        if self._is_good(found["certificate"], found["public"], request):
            return bool(found["changed"]), found["certificate"]
        if self._task.check_mode:
            return True, ""
        with signing(self._loader, self._value("access_ca"), self._value("access_ca_public")) as authority:
            log = Path(self._value("inventory_dir")) / ".ssh" / "issued.jsonl"
            return True, access.certify(found["public"], request, authority, log=log)

    def _request(self, arguments: dict[str, Any]) -> access.Request:
        host, environment = self._vars["inventory_hostname"], self._value("art32_environment")
        return access.Request(
            identity=f"{arguments['account']}@{host}.{environment} {arguments['name']}",
            principals=tuple(arguments["principals"]),
            validity=f"+{arguments['validity_days']}d",
            options=(
                f"force-command={arguments['force_command']}",
                f"source-address={','.join(arguments['addresses'])}",
            ),
        )

    def _is_good(self, certificate: str, public: str, request: access.Request) -> bool:
        ca_public, now = self._value("access_ca_public"), datetime.now(tz=UTC)
        return access.good_for(certificate, public, request, ca_public=ca_public, now=now) > self._renewed_below

    def _ask_host(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._execute_module(
            module_name="art32.server.machine_identity",
            module_args={name: arguments[name] for name in ("name", "account", "home")},
            task_vars=self._vars,
        )
        if found.get("failed"):
            raise AnsibleActionFail(str(found.get("msg")))
        return found

    def _value(self, name: str) -> str:
        if name not in self._vars:
            raise AnsibleActionFail(f"{name}: missing; a machine's key is certified by the environment's authority")
        return str(self._templar.template(self._vars[name]))
