# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of art32.server.transaction: render the files, then confirm over a new login."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shlex
import socket
import tempfile
import time
from typing import TYPE_CHECKING, Any

from ansible import constants as C  # noqa: N812 - Ansible's own name for it
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.art32.server.plugins.module_utils.transaction.model import pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODULE = "art32.server.transaction"
SOURCES = ("template", "content", "src", "link")
CONTROLLER_ONLY = ("step", "token", "owner", "contents")
# A login that hangs after the authentication is ended by nothing in ssh itself.
LOGIN_SECONDS = 20
CONNECT_SECONDS = 5
# Few tries: sshd starts to penalise an address that keeps failing.
CONFIRMATIONS = 2
INQUIRIES = 8
PAUSE_SECONDS = 3
FRESH = "-o ControlPath=none -o ControlMaster=no -o ControlPersist=no -o ServerAliveInterval=2 -o ServerAliveCountMax=3"

Result = dict[str, Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Apply a transaction and confirm it."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = self._arguments(task_vars)
        confirm = arguments.get("confirm") or {}
        if confirm.get("login", bool(confirm)):
            self._refuse_without_ssh()
            result = self._apply_and_confirm(arguments, confirm, task_vars)
        else:
            result = self._module(arguments, task_vars)
        return _presentable(result)

    # What the module is given

    def _arguments(self, task_vars: dict[str, Any]) -> Result:
        arguments = dict(self._task.args)
        for option in CONTROLLER_ONLY:
            if option in arguments:
                raise AnsibleActionFail(f"{option} is set by the controller, not by a task")
        entries = arguments.get("files") or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise AnsibleActionFail("files: a list of entries with dest and one of template, content, src and link")
        contents: dict[str, bytes] = {}
        for entry in entries:
            content = self._content(entry, task_vars)
            if content is not None:
                contents[str(entry.get("dest"))] = content
        arguments["files"] = [_without_sources(entry) for entry in entries]
        arguments["contents"] = pack(contents)
        arguments["token"] = secrets.token_hex(16)
        arguments["owner"] = _owner()
        return arguments

    def _content(self, entry: Mapping[str, Any], task_vars: dict[str, Any]) -> bytes | None:
        given = [source for source in SOURCES if entry.get(source) is not None]
        if len(given) != 1:
            what = " and ".join(given) or "none"
            raise AnsibleActionFail(f"files: {entry.get('dest')}: needs one of {', '.join(SOURCES)}; it has {what}")
        if "template" in given:
            return self._render(str(entry["template"]), str(entry.get("dest")), entry.get("vars") or {}, task_vars)
        if "src" in given:
            return self._read(str(entry["src"]))
        return str(entry["content"]).encode() if "content" in given else None

    def _read(self, name: str) -> bytes:
        path = self._loader.get_real_file(self._find_needle("files", name))
        with open(path, "rb") as handle:
            return handle.read()

    def _render(self, name: str, dest: str, variables: Mapping[str, Any], task_vars: dict[str, Any]) -> bytes:
        """Render as ansible.builtin.template does, with the variables of this one file on top."""
        source = self._find_needle("templates", name)
        roots = [*task_vars.get("ansible_search_path", []), self._loader.get_basedir(), os.path.dirname(source)]
        paths = [path for root in roots for path in (os.path.join(root, "templates"), root)]
        available = {**task_vars, "template_path": source, "template_destpath": dest, **variables}
        templar = self._templar.copy_with_new_env(searchpath=paths, available_variables=available)
        text = trust_as_template(self._loader.get_text_file_contents(source))
        overrides = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}
        rendered = templar.template(text, escape_backslashes=False, overrides=overrides)
        return b"" if rendered is None else str(rendered).encode()

    # The two halves

    def _module(self, arguments: Result, task_vars: dict[str, Any]) -> Result:
        result: Result = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return result

    def _apply_and_confirm(self, arguments: Result, confirm: Mapping[str, Any], task_vars: dict[str, Any]) -> Result:
        seconds = int(confirm.get("timeout") or arguments.get("timeout") or 60)
        deadline = time.monotonic() + seconds
        identity = {"name": arguments["name"], "token": arguments["token"]}
        try:
            result = self._module(arguments, task_vars)
        except AnsibleConnectionFailure as error:
            result = self._after_a_lost_reply(identity, confirm, task_vars, error)
        if result.get("state") != "pending":
            return result
        if "remaining" in result:
            deadline = time.monotonic() + float(result["remaining"])
        reason = self._confirm(identity, confirm, task_vars, deadline)
        if reason is None:
            return {**result, "state": "committed"}
        return self._report_revert(identity, task_vars, deadline, reason, result)

    def _after_a_lost_reply(
        self, identity: Result, confirm: Mapping[str, Any], task_vars: dict[str, Any], error: AnsibleConnectionFailure
    ) -> Result:
        """Ask what became of a transaction whose reply never came; when nobody knows it, the host was not reached."""
        try:
            with self._fresh_connection(confirm, LOGIN_SECONDS):
                found = self._module({**identity, "step": "inquire"}, task_vars)
        except AnsibleError:
            raise error from None
        if found.get("stage") == "waiting":
            return {"changed": True, "state": "pending", "changes": found["changes"], "remaining": found["remaining"]}
        if found.get("stage") == "reverted":
            return {
                "failed": True,
                "changed": False,
                "state": "reverted",
                "outcome": found["outcome"],
                "msg": str(error),
            }
        raise error

    def _confirm(
        self, identity: Result, confirm: Mapping[str, Any], task_vars: dict[str, Any], deadline: float
    ) -> str | None:
        """Commit over a new login. Returns why that was impossible, None when it is done."""
        reason = "there was no time left"
        for attempt in range(CONFIRMATIONS):
            left = deadline - time.monotonic() - 1
            if left < 1:
                break
            if attempt:
                time.sleep(min(PAUSE_SECONDS, left / 2))
            try:
                with self._fresh_connection(confirm, min(LOGIN_SECONDS, left)):
                    result = self._module({**identity, "step": "commit"}, task_vars)
            except AnsibleError as error:
                reason = _first_line(error)
                continue
            if result.get("state") == "committed":
                return None
            reason = str(result.get("msg") or result.get("module_stderr") or result)
        return reason

    def _report_revert(
        self, identity: Result, task_vars: dict[str, Any], deadline: float, reason: str, result: Result
    ) -> Result:
        """Wait for the revert, log in as before, and say what happened."""
        time.sleep(max(0.0, deadline + 1 - time.monotonic()))
        found = self._inquire(identity, task_vars)
        message = f"The change could not be confirmed by a new login: {reason}."
        failed = {"failed": True, "changed": False, "changes": result["changes"], "state": "reverted"}
        if found is None:
            return {**failed, "msg": f"{message} The host cannot be reached either; its revert was armed."}
        outcome = found.get("outcome") or {}
        return {**failed, "msg": f"{message} {_account(outcome, found)}", "outcome": outcome}

    def _inquire(self, identity: Result, task_vars: dict[str, Any]) -> Result | None:
        """Log in with what worked before the change, until the revert is over. None when nobody gets in."""
        found: Result | None = None
        for attempt in range(INQUIRIES):
            if attempt:
                time.sleep(PAUSE_SECONDS)
            with contextlib.suppress(AnsibleError), self._fresh_connection({}, LOGIN_SECONDS):
                found = self._module({**identity, "step": "inquire"}, task_vars)
                if found.get("stage") in ("reverted", "unknown"):
                    return found
        return found

    # The connection

    def _refuse_without_ssh(self) -> None:
        if self._connection.transport != "ssh":
            raise AnsibleActionFail(
                f"confirm: a new login needs a host reached over ssh, not {self._connection.transport}"
            )

    @contextlib.contextmanager
    def _fresh_connection(self, confirm: Mapping[str, Any], seconds: float) -> Iterator[None]:
        """Make the connection plugin log in anew, bounded in time; afterwards everything is as before."""
        connection = self._connection
        with _bounded(connection.get_option("ssh_executable"), seconds) as executable:
            wanted = {
                "ssh_executable": executable,
                "ssh_args": f"{FRESH} {connection.get_option('ssh_args') or ''}",
                "reconnection_retries": 0,
                "timeout": CONNECT_SECONDS,
            }
            if confirm.get("user"):
                wanted["remote_user"] = confirm["user"]
            if confirm.get("private_key_file"):
                wanted["private_key_file"] = os.path.expanduser(confirm["private_key_file"])
                wanted["ssh_args"] = f"-o IdentitiesOnly=yes {wanted['ssh_args']}"
            kept = {option: connection.get_option(option) for option in wanted}
            directory, connection._shell.tmpdir = connection._shell.tmpdir, None
            try:
                for option, value in wanted.items():
                    connection.set_option(option, value)
                yield
            finally:
                for option, value in kept.items():
                    connection.set_option(option, value)
                connection._shell.tmpdir = directory


@contextlib.contextmanager
def _bounded(executable: str, seconds: float) -> Iterator[str]:
    """Give an ssh that ends after some seconds, whatever the other side does."""
    descriptor, path = tempfile.mkstemp(prefix="ssh-bounded-", dir=C.DEFAULT_LOCAL_TMP)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(f'#!/bin/sh\nexec timeout -k 2 {max(1, int(seconds))} {shlex.quote(executable)} "$@"\n')
    os.chmod(path, 0o700)
    try:
        yield path
    finally:
        os.unlink(path)


def _without_sources(entry: Mapping[str, Any]) -> Result:
    return {key: value for key, value in entry.items() if key not in ("template", "content", "src", "vars")}


def _owner() -> str:
    person = os.environ.get("ART32_PERSON") or os.environ.get("SUDO_USER")
    with contextlib.suppress(KeyError, OSError):
        person = person or getpass.getuser()
    return f"{person or os.getuid()} on {socket.gethostname()}"


def _first_line(error: AnsibleError) -> str:
    return " ".join(str(error).split())


def _account(outcome: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say in a sentence what the revert did."""
    if not outcome:
        return f"The revert is not over yet: the transaction is {found.get('stage')}."
    done = "; ".join(outcome["actions"]) or "nothing had to be undone"
    if outcome["problems"]:
        return f"The revert at {outcome['ended']} had problems: {'; '.join(outcome['problems'])}. Done: {done}."
    return f"The host is in its last confirmed state again since {outcome['ended']} ({outcome['why']}): {done}."


def _presentable(result: Result) -> Result:
    """Leave out what only the two halves tell each other; after a failure put the revert into the message."""
    shown = {key: value for key, value in result.items() if key not in ("invocation", "remaining")}
    outcome = shown.get("outcome")
    if shown.get("failed") and outcome and "last confirmed state" not in str(shown.get("msg")):
        shown["msg"] = f"{shown.get('msg')}\n{_account(outcome, {})}"
    return shown
