# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certify a host's own key, and let the environment's clients trust the certificate. The host is not contacted."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils import access
from ansible_collections.art32.server.plugins.module_utils.host_facts import HOST_KEY
from ansible_collections.art32.server.plugins.module_utils.known_hosts import with_authorities
from ansible_collections.art32.server.plugins.plugin_utils.authority import signing
from ansible_collections.art32.server.plugins.plugin_utils.surveyed import is_surveying, note_difference

if TYPE_CHECKING:
    from collections.abc import Iterator


class ActionModule(ActionBase):
    """Knows the host's key and certificate as read at login."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the certificate that the host has to have; or write who signs it into the clients' file."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "names": {"type": "list", "elements": "str", "required": True},
                "validity_days": {"type": "int", "default": 90},
                "known_hosts": {"type": "path"},
                "authorities": {"type": "list", "elements": "str", "default": []},
            },
        )
        self._vars = task_vars or {}
        try:
            if arguments["known_hosts"]:
                return {"changed": self._trust(arguments)}
            changed, certificate = self._certificate(arguments)
        except (access.AccessError, OSError) as error:
            raise AnsibleActionFail(str(error)) from error
        return {"changed": changed, "certificate": certificate}

    def _certificate(self, arguments: dict[str, Any]) -> tuple[bool, str]:
        """Whether a new one is needed, and its line; empty where the host has no key yet or nothing may change."""
        known = self._vars.get("ansible_facts", {}).get("art32_identities", {})
        name = Path(HOST_KEY).name
        public, certificate = (known.get(f"{name}{suffix}", "") for suffix in (".pub", "-cert.pub"))
        if not public:
            return False, ""
        days, own = arguments["validity_days"], self._value("access_ca_public")
        request = access.Request(
            identity=f"{self._vars['inventory_hostname']}.{self._value('art32_environment')} host",
            principals=tuple(arguments["names"]),
            validity=f"+{days}d",
            host=True,
        )
        left = access.good_for(certificate, public, request, ca_public=own, now=datetime.now(tz=UTC))
        if left > timedelta(days=days) / 3:
            return False, certificate
        if is_surveying(self._vars):
            note_difference(self._vars, "The host's certificate is not good for long enough")
            return False, certificate
        if self._task.check_mode:
            return True, ""
        with signing(self._loader, self._value("access_ca"), own) as authority:
            log = Path(self._value("inventory_dir")) / ".ssh" / "issued.jsonl"
            return True, access.certify(public, request, authority, log=log)

    def _trust(self, arguments: dict[str, Any]) -> bool:
        """Whether the file had to be changed. Runs of several hosts wait for one another."""
        path = Path(arguments["known_hosts"])
        with _locked(path.parent):
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            after = with_authorities(before, arguments["names"], arguments["authorities"])
            if after == before:
                return False
            if is_surveying(self._vars):
                note_difference(self._vars, f"{path} does not say who signs the host's certificate")
            elif not self._task.check_mode:
                partial = path.with_name(f".{path.name}.partial")
                partial.write_text(after, encoding="utf-8")
                partial.replace(path)
        return not is_surveying(self._vars)

    def _value(self, name: str) -> str:
        if name not in self._vars:
            raise AnsibleActionFail(f"{name}: missing; a host's key is certified by the environment's authority")
        return str(self._templar.template(self._vars[name]))


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
