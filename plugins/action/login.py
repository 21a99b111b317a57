# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log in as the person who runs the playbook, with a certificate of one hour; on a new machine as its first user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.art32.server.plugins.module_utils import access
from ansible_collections.art32.server.plugins.module_utils.host_facts import COMMAND, UnsupportedHostError, parse
from ansible_collections.art32.server.plugins.plugin_utils.authority import signing

REFUSED = ("Permission denied", "Too many authentication failures")


@dataclass(frozen=True, kw_only=True)
class Login:
    """An account, the private key for it, and whether a certificate goes with the key."""

    user: str
    key: Path
    certificate: bool


class RefusedError(Exception):
    """The host answered, but does not let this account and key in."""


class ActionModule(ActionBase):
    """Everything but one command on the host happens on the controller."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the login that the later plays use, and the few facts that roles read."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "reason": {"type": "str", "default": "site run"},
                "first_user": {"type": "bool", "default": True},
            },
        )
        self._vars = task_vars or {}
        try:
            login, answer = self._log_in(arguments)
            facts = parse(answer)
        except (access.AccessError, UnsupportedHostError) as error:
            raise AnsibleActionFail(f"{self._vars['inventory_hostname']}: {error}") from error
        return {
            "changed": False,
            "user": login.user,
            "private_key_file": str(login.key),
            "certificate": login.certificate,
            "ansible_facts": facts,
        }

    def _log_in(self, arguments: dict[str, Any]) -> tuple[Login, str]:
        person = self._with_certificate(arguments["reason"])
        try:
            return person, self._try(person)
        except RefusedError as refused:
            if not arguments["first_user"]:
                raise AnsibleActionFail(self._says(f"refuses the certificate of {person.user}: {refused}")) from refused
        first = self._first()
        try:
            return first, self._try(first)
        except RefusedError as refused:
            told = f"accepts neither the certificate of {person.user} (access_person)"
            told += f" nor {first.user} (access_first_user) with {first.key} (access_first_key): {refused}"
            raise AnsibleActionFail(self._says(told)) from refused

    def _with_certificate(self, reason: str) -> Login:
        """The person's key with a certificate that lasts, from the environment's authority."""
        person, public = self._value("access_person"), self._value("access_ca_public")
        grant = access.Grant(person=person, environment=self._value("art32_environment"), reason=reason)
        revoked = self._templar.template(self._vars.get("sshd_revocations", []))
        directory = Path(self._value("inventory_dir")) / ".access"
        key = access.lasting(directory, grant, public, revoked)
        if key is None:
            with signing(self._loader, self._value("access_ca"), public) as authority:
                log = directory.with_name(".ssh") / "issued.jsonl"
                key = access.issue(directory, grant, authority, revoked, log=log)
        return Login(user=person, key=key, certificate=True)

    def _first(self) -> Login:
        """The account and key that the machine's provider set up."""
        key = Path(self._value("access_first_key")).expanduser()
        if not key.is_file():
            raise AnsibleActionFail(
                self._says(f"does not know the certificate yet, and access_first_key {key} is no file")
            )
        return Login(user=self._value("access_first_user"), key=key, certificate=False)

    def _try(self, login: Login) -> str:
        """Run the one command over the connection that later tasks share; what it says.

        Raises RefusedError when the login is not accepted. A host that does not answer is unreachable.
        """
        self._connection.set_option("remote_user", login.user)
        self._connection.set_option("private_key_file", str(login.key))
        try:
            return self._ask()
        except AnsibleConnectionFailure as failure:
            if any(words in str(failure) for words in REFUSED):
                raise RefusedError(_last_line(failure)) from failure
        # A shared connection may have outlived its host: try once without it.
        self._connection.reset()
        try:
            return self._ask()
        except AnsibleConnectionFailure as failure:
            if any(words in str(failure) for words in REFUSED):
                raise RefusedError(_last_line(failure)) from failure
            raise AnsibleConnectionFailure(self._says(f"cannot be reached by SSH: {_last_line(failure)}")) from failure

    def _ask(self) -> str:
        done = self._low_level_execute_command(COMMAND, sudoable=False)  # type: ignore[no-untyped-call]
        if done["rc"]:
            raise AnsibleActionFail(
                self._says(f"lets {self._connection.get_option('remote_user')} in, but: {done['stderr']}")
            )
        return str(done["stdout"])

    def _value(self, name: str) -> str:
        if name not in self._vars:
            raise AnsibleActionFail(f"{name}: missing; docs/environments.md tells what it is")
        return str(self._templar.template(self._vars[name]))

    def _says(self, what: str) -> str:
        address = self._vars.get("ansible_host", "")
        return f"{self._vars['inventory_hostname']} ({self._templar.template(address)}) {what}"


def _last_line(error: Exception) -> str:
    """What ssh said in the end, without its banners and warnings."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no answer"
