# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of art32.server.transaction: render the files, then confirm over a new login."""

from __future__ import annotations

import base64
import contextlib
import getpass
import os
import secrets
import shlex
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.template import trust_as_template
from ansible_collections.art32.server.plugins.module_utils.transaction.model import pack
from ansible_collections.art32.server.plugins.plugin_utils.surveyed import SurveyedAction, is_surveying

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCES = ("template", "content", "content_base64", "src", "link")
CONTENTS = ("template", "content", "content_base64", "src", "vars")
CONTROLLER_ONLY = ("step", "token", "owner", "contents")
# A login that hangs after the authentication is ended by nothing in ssh itself.
LOGIN_SECONDS = 20
CONNECT_SECONDS = 5
# For a command on the controller, which a busy one delays.
COMMAND_SECONDS = 120
# For what follows a final change on the host, besides the commands' own time.
FINISH_SECONDS = 60
# What ssh says when there was no session at all.
NEVER_REACHED = ("ssh: connect to host", "Could not resolve", "Permission denied", "Host key verification failed")
# What timeout(1) ends with.
TIMED_OUT = 124
# Few tries: sshd starts to penalise an address that keeps failing.
CONFIRMATIONS = 2
REVERT_SECONDS = 30
PAUSE_SECONDS = 3
# For the old connection, which may hang; a revert includes the removal of packages.
PATIENCE_SECONDS = 30
FRESH = "-o ControlPath=none -o ControlMaster=no -o ControlPersist=no -o ServerAliveInterval=2 -o ServerAliveCountMax=3"

Result = dict[str, Any]


class ActionModule(SurveyedAction):
    """Apply a transaction and confirm it."""

    MODULE = "transaction"
    TRANSFERS_FILES = False
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """Run the task."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = self._arguments(task_vars)
        if is_surveying(task_vars):
            return self._ask(arguments, task_vars)
        confirm = self._task.args.get("confirm")
        if confirm is None or not boolean(confirm.get("login", True)):
            confirm = None
        elif self._connection.transport != "ssh":
            raise AnsibleActionFail(
                f"confirm: a new login needs a host reached over ssh, not {self._connection.transport}"
            )
        identity = {"name": arguments["name"], "token": arguments["token"]}
        result = self._apply(arguments, identity, task_vars)
        if result.get("state") == "pending" and confirm is not None:
            result = self._second_half(result, identity, confirm, task_vars)
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
        if arguments.get("confirm") is not None:
            arguments["confirm"] = {name: value for name, value in arguments["confirm"].items() if name != "commands"}
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
        if "content_base64" in given:
            return self._decode(str(entry["content_base64"]), str(entry.get("dest")))
        return str(entry["content"]).encode() if "content" in given else None

    def _decode(self, text: str, dest: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise AnsibleActionFail(f"files: {dest}: content_base64 is no base64: {error}") from error

    def _read(self, name: str) -> bytes:
        path = self._loader.get_real_file(self._find_needle("files", name))  # type: ignore[no-untyped-call]
        return Path(path).read_bytes()

    def _render(self, name: str, dest: str, variables: Mapping[str, Any], task_vars: dict[str, Any]) -> bytes:
        """Render as ansible.builtin.template does, with the variables of this one file on top."""
        source = self._find_needle("templates", name)  # type: ignore[no-untyped-call]
        roots = [*task_vars.get("ansible_search_path", []), self._loader.get_basedir(), str(Path(source).parent)]
        paths = [path for root in roots for path in (f"{root}/templates", root)]
        available = {**task_vars, "template_path": source, "template_destpath": dest, **variables}
        templar = self._templar.copy_with_new_env(searchpath=paths, available_variables=available)
        text = trust_as_template(self._loader.get_text_file_contents(source))
        overrides = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}
        rendered = templar.template(text, escape_backslashes=False, overrides=overrides)
        return b"" if rendered is None else str(rendered).encode()

    # The two halves

    def _apply(self, arguments: Result, identity: Result, task_vars: dict[str, Any]) -> Result:
        """Run the first half; when its reply is lost, ask what became of it."""
        unreachable: AnsibleConnectionFailure | None = None
        result: Result = {}
        try:
            result = self._execute(arguments, task_vars)
        except AnsibleConnectionFailure as error:
            unreachable = error
        if unreachable is None and "module_stdout" not in result:
            return result
        if self._connection.transport == "ssh" and (unreachable is None or _was_reached(unreachable)):
            step = "inquire" if unreachable else "revert"
            patience = int(arguments.get("timeout") or 60)
            found = self._follow(identity, task_vars, step=step, patience=patience)
            if found is not None and found.get("stage") not in (None, "unknown"):
                reason = _in_one_line(unreachable) if unreachable else "the module was killed"
                return _found_again(found, f"The host's reply was lost: {reason}.")
        if unreachable is not None:
            raise unreachable
        return result

    def _second_half(
        self, result: Result, identity: Result, confirm: Mapping[str, Any], task_vars: dict[str, Any]
    ) -> Result:
        """Confirm, or report the revert."""
        deadline = time.monotonic() + float(result["remaining"])
        said: list[str] = []
        committed, reason = self._confirm(identity, confirm, task_vars, deadline, said)
        if committed:
            warnings = [*result.get("warnings", []), *said]
            final = {**result, "state": "committed", **({"warnings": warnings} if warnings else {})}
            return {**final, **(self._finish(identity, confirm, task_vars) if committed["owed"] else {})}
        found = self._revert_now(identity, task_vars, deadline)
        if found is None:
            time.sleep(max(0.0, deadline + 1 - time.monotonic()))
            found = self._follow(identity, task_vars)
        message = f"The change could not be confirmed by a new login: {reason}."
        failed = {"failed": True, "changed": False, "changes": result["changes"], "state": "reverted"}
        if found is None:
            return {**failed, "msg": f"{message} The host cannot be reached now; its revert was armed."}
        outcome = found.get("outcome") or {}
        return {**failed, "msg": f"{message}\n{_account(outcome, found)}", "outcome": outcome}

    def _confirm(
        self,
        identity: Result,
        confirm: Mapping[str, Any],
        task_vars: dict[str, Any],
        deadline: float,
        said: list[str],
    ) -> tuple[Result, str]:
        """Commit over a new login, once the commands succeed. Returns the commit, or nothing and why there is none."""
        reason = "there was no time left"
        for attempt in range(CONFIRMATIONS):
            left = deadline - time.monotonic() - 1
            if left < 1:
                break
            if attempt:
                time.sleep(min(PAUSE_SECONDS, left / 2))
            seconds = min(LOGIN_SECONDS, left)
            try:
                said[:] = filter(
                    None, [_succeed(entry, min(COMMAND_SECONDS, left)) for entry in confirm.get("commands") or []]
                )
                with self._fresh_login(confirm, seconds):
                    result = self._execute({**identity, "step": "commit"}, task_vars)
            except AnsibleError as error:
                reason = _in_one_line(error)
                continue
            if result.get("state") == "committed":
                return result, ""
            reason = _why_not(result, seconds)
            if result.get("state") == "refused":
                break
        return {}, reason

    def _finish(self, identity: Result, confirm: Mapping[str, Any], task_vars: dict[str, Any]) -> Result:
        """Do what follows a final change over the new login: the old one may be among what it ends."""
        entries = self._task.args.get("finish") or []
        seconds = FINISH_SECONDS + sum(int(entry.get("timeout") or FINISH_SECONDS) for entry in entries)
        try:
            with self._fresh_login(confirm, seconds):
                done = self._execute({**identity, "step": "finish"}, task_vars)
        except AnsibleError as error:
            done = {"msg": _in_one_line(error)}
        with contextlib.suppress(AnsibleError):
            self._connection.reset()
        if done.get("state") == "committed" and not done.get("failed"):
            return {"notes": done["notes"]} if done.get("notes") else {}
        reason = str(done.get("msg") or _why_not(done, seconds))
        return {"failed": True, "msg": f"{reason}\nThe next run does what has to follow the change, which is final."}

    def _revert_now(self, identity: Result, task_vars: dict[str, Any], deadline: float) -> Result | None:
        """Spare the wait for the timer where the old connection still works."""
        seconds = min(PATIENCE_SECONDS, deadline - time.monotonic())
        with contextlib.suppress(AnsibleError), self._options({}, seconds):
            found = self._execute({**identity, "step": "revert"}, task_vars)
            if found.get("stage") == "reverted":
                return found
        return None

    def _follow(
        self, identity: Result, task_vars: dict[str, Any], *, step: str = "inquire", patience: float = 0
    ) -> Result | None:
        """Log in with what worked before the change, until it is over. None when nobody gets in."""
        end = time.monotonic() + patience + REVERT_SECONDS
        found: Result | None = None
        while time.monotonic() < end:
            with contextlib.suppress(AnsibleError), self._fresh_login({}, LOGIN_SECONDS):
                found = self._execute({**identity, "step": step}, task_vars)
            if found is not None and found.get("stage") in ("waiting", "reverted", "unknown"):
                break
            time.sleep(PAUSE_SECONDS)
        return found

    # The connection

    @contextlib.contextmanager
    def _fresh_login(self, confirm: Mapping[str, Any], seconds: float) -> Iterator[None]:
        """Make the connection plugin log in anew, as the confirming user where there is one."""
        arguments = str(self._connection.get_option("ssh_args") or "")
        wanted = {"ssh_args": f"{FRESH} {arguments}", "reconnection_retries": 0, "timeout": CONNECT_SECONDS}
        if confirm.get("user"):
            wanted["remote_user"] = confirm["user"]
        if confirm.get("private_key_file"):
            wanted["private_key_file"] = str(Path(confirm["private_key_file"]).expanduser())
            wanted["ssh_args"] = f"-o IdentitiesOnly=yes {wanted['ssh_args']}"
        with self._options(wanted, seconds):
            yield

    @contextlib.contextmanager
    def _options(self, wanted: Mapping[str, Any], seconds: float) -> Iterator[None]:
        """Change the connection's options, bounded in time; afterwards everything is as before."""
        connection, shell = self._connection, self._connection._shell  # noqa: SLF001 - the only way to it
        with _bounded(connection.get_option("ssh_executable"), seconds) as executable:
            options = {**wanted, "ssh_executable": executable}
            kept = {option: connection.get_option(option) for option in options}
            directory, shell.tmpdir = shell.tmpdir, None
            try:
                for option, value in options.items():
                    connection.set_option(option, value)
                yield
            finally:
                for option, value in kept.items():
                    connection.set_option(option, value)
                shell.tmpdir = directory


def _succeed(entry: Mapping[str, Any], seconds: float) -> str:
    """Run a command on the controller and return what it prints.

    Raises AnsibleActionFail with the last line of what it says when it does not succeed in time.
    """
    command = entry["command"]
    words: list[str] = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    stdin = str(entry.get("stdin") or "")
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AnsibleActionFail(f"{Path(words[0]).name}: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise AnsibleActionFail(lines[-1])
    return done.stdout.strip()


@contextlib.contextmanager
def _bounded(executable: str, seconds: float) -> Iterator[str]:
    """Give an ssh that ends after some seconds, whatever the other side does."""
    parent = constants.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory(prefix="ssh-bounded-", dir=parent) as directory:
        wrapper = Path(directory) / "ssh"
        wrapper.write_text(
            f'#!/bin/sh\nexec timeout -k 2 {max(1, int(seconds))} {shlex.quote(executable)} "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o700)
        yield str(wrapper)


def _without_sources(entry: Mapping[str, Any]) -> Result:
    if isinstance(entry.get("mode"), int):
        raise AnsibleActionFail(f'files: {entry.get("dest")}: mode has to be a string, such as "0644"')
    return {key: value for key, value in entry.items() if key not in CONTENTS}


def _owner() -> str:
    person = os.environ.get("ART32_PERSON") or os.environ.get("SUDO_USER")
    with contextlib.suppress(KeyError, OSError):
        person = person or getpass.getuser()
    return f"{person or os.getuid()} on {socket.gethostname()}"


def _in_one_line(error: AnsibleError) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _was_reached(error: AnsibleError) -> bool:
    """Whether a broken connection had been one before."""
    return not any(sign in str(error) for sign in NEVER_REACHED)


def _why_not(result: Result, seconds: float) -> str:
    """Say why a commit did not come about."""
    if result.get("rc") == TIMED_OUT:
        return f"the login did not end within {int(seconds)} s"
    return str(result.get("msg") or result.get("module_stderr") or "the host's reply was not understood")


def _found_again(found: Result, message: str) -> Result:
    """Make a result of what the host says about a transaction whose reply was lost."""
    if found["stage"] == "waiting":
        return {"changed": True, "state": "pending", "changes": found["changes"], "remaining": found["remaining"]}
    outcome = found.get("outcome") or {}
    state = "reverted" if found["stage"] == "reverted" else found["stage"]
    text = f"{message}\n{_account(outcome, found)}"
    return {"failed": True, "changed": False, "state": state, "outcome": outcome, "msg": text}


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
