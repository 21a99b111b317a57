# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Undo what a plan says. Part of art32-revert."""

from __future__ import annotations

import contextlib
import os
import shutil
import syslog
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .disk import Record, found, is_directory, remove, sync, temporary, write_json
from .pending import OUTCOMES, SAVED, UNIT_DIRECTORIES, Plan, describe, run

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Report", "activate", "purge", "restore", "restore_paths", "say"]

PACKAGE_SECONDS = 600
# A command that fails is tried again; what it needs may just be coming up.
RETRY_PAUSES = (0, 1, 3)
# The shells' number for "no such command".
NOT_FOUND = 127


class Report:
    """What a revert did, for the journal and for the controller."""

    def __init__(self, plan: Plan, why: str) -> None:
        """Begin the report of one revert."""
        self.plan = plan
        self.why = why
        self.actions: list[str] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.complete = True

    def done(self, text: str) -> None:
        """Something was undone."""
        self.actions.append(text)
        say(text)

    def note(self, text: str) -> None:
        """Something worth knowing, which does not matter for the state."""
        self.notes.append(text)
        say(text)

    def problem(self, text: str, *, blocking: bool = False) -> None:
        """Something could not be undone; `blocking` when another try has to come before any other change."""
        self.problems.append(text)
        self.complete = self.complete and not blocking
        say(f"PROBLEM: {text}", syslog.LOG_ERR)

    def save(self) -> None:
        """Write the outcome where the controller asks for it."""
        OUTCOMES.mkdir(mode=0o700, exist_ok=True)
        outcome = {
            "token": self.plan["token"],
            "name": self.plan["name"],
            "why": self.why,
            "ended": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
            "actions": self.actions,
            "notes": self.notes,
            "problems": self.problems,
        }
        write_json(OUTCOMES / f"{self.plan['name']}.json", outcome)


def say(text: str, priority: int = syslog.LOG_NOTICE) -> None:
    """Tell the terminal or the unit's journal, and the journal when started by hand."""
    print(text, flush=True)  # noqa: T201 - this is a program of its own
    if "JOURNAL_STREAM" not in os.environ:
        syslog.openlog("art32-revert")
        syslog.syslog(priority, text)


def _is_restored(record: Record) -> bool:
    now = found(record["path"])
    return all(record.get(key) == value for key, value in now.items())


def _replace(partial: str, path: str) -> None:
    """Put a complete successor in the place of whatever is at a path."""
    if is_directory(path):
        shutil.rmtree(path)
    Path(partial).rename(path)


def _restore_file(record: Record) -> None:
    partial = temporary(record["path"])
    shutil.copy2(SAVED / record["saved"], partial)
    os.chown(partial, record["uid"], record["gid"])
    Path(partial).chmod(record["mode"])
    sync(partial)
    _replace(partial, record["path"])


def _restore_link(record: Record) -> None:
    partial = temporary(record["path"])
    Path(partial).symlink_to(record["target"])
    os.chown(partial, record["uid"], record["gid"], follow_symlinks=False)
    _replace(partial, record["path"])


def _restore_directory(record: Record) -> None:
    path = Path(record["path"])
    if not is_directory(path):
        remove(path)
        path.mkdir(parents=True)
    os.chown(path, record["uid"], record["gid"])
    path.chmod(record["mode"])


def _restore_absent(record: Record) -> None:
    if record.get("only_if_empty") and is_directory(record["path"]):
        with contextlib.suppress(OSError):
            Path(record["path"]).rmdir()
    else:
        remove(record["path"])


_RESTORE: dict[str, Callable[[Record], None]] = {
    "file": _restore_file,
    "link": _restore_link,
    "directory": _restore_directory,
    "absent": _restore_absent,
}


def _restore_path(record: Record, report: Report) -> None:
    path = record["path"]
    remove(temporary(path))
    if _is_restored(record):
        return
    _RESTORE[record["kind"]](record)
    if Path(path).parent.is_dir():
        sync(Path(path).parent)
    if _is_restored(record):
        report.done(f"{'removed' if record['kind'] == 'absent' else 'restored'} {path}")
    elif record.get("only_if_empty"):
        report.note(f"left {path}, which is not empty")
    else:
        report.problem(f"{path} is not as it was", blocking=True)


def restore_paths(plan: Plan, report: Report) -> None:
    """Put every path back: what was there first, what was not there last and deepest first."""
    records = plan["paths"]
    there = [record for record in records if record["kind"] != "absent"]
    new = [record for record in records if record["kind"] == "absent"]
    for record in [*there, *sorted(new, key=lambda record: str(record["path"]), reverse=True)]:
        try:
            _restore_path(record, report)
        except OSError as error:
            report.problem(f"{record['path']}: {error}", blocking=True)


def _unit(name: str) -> dict[str, str]:
    names = "LoadState,ActiveState,UnitFileState"
    _, output = run(["systemctl", "show", f"--property={names}", "--", name])
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def _systemctl(report: Report, *arguments: str) -> None:
    status, output = run(["systemctl", *arguments])
    text = f"systemctl {' '.join(arguments)}"
    if status == 0:
        report.done(text)
    else:
        report.problem(f"{text}: {output or status}")


def _disable_units(plan: Plan, report: Report) -> None:
    """Take back what was enabled or masked, while the unit's file is still there."""
    for before in plan["units"]:
        now = _unit(before["name"]).get("UnitFileState", "")
        if now == before["file_state"]:
            continue
        if now in ("masked", "masked-runtime"):
            _systemctl(report, "unmask", before["name"])
        elif now in ("enabled", "enabled-runtime"):
            _systemctl(report, "disable", before["name"])


def _enable_units(plan: Plan, report: Report) -> None:
    for before in plan["units"]:
        now = _unit(before["name"]).get("UnitFileState", "")
        if now == before["file_state"]:
            continue
        verb = {"enabled": "enable", "masked": "mask"}.get(before["file_state"])
        if verb:
            _systemctl(report, verb, before["name"])


def _settle_unit(before: Record, report: Report, *, verb: str | None) -> None:
    """Make a unit run or not, as before; when it was running, with `verb` so that it reads its files again."""
    name = before["name"]
    active = _unit(name).get("ActiveState") in ("active", "reloading", "activating")
    if not before["active"]:
        if active:
            _systemctl(report, "stop", name)
    elif not active:
        run(["systemctl", "reset-failed", name])
        _systemctl(report, "start", name)
    elif verb and verb != "stop":
        _systemctl(report, verb, name)


def _run_command(entry: Record, report: Report) -> None:
    """Run a command again; one that failed in the transaction already may fail now as well."""
    argv = entry.get("undo") or entry["command"]
    text = " ".join(argv)
    for pause in RETRY_PAUSES:
        time.sleep(pause)
        status, output = run(argv)
        if status == 0:
            report.done(f"ran {text}")
            return
        if status == NOT_FOUND:
            report.note(f"{argv[0]} is not there any more")
            return
    report.problem(f"{text}: {output or status}")


def activate(plan: Plan, report: Report, *, units: bool) -> None:
    """Load the restored files, in the order in which the transaction loaded its own."""
    before = {unit["name"]: unit for unit in plan["units"]}
    settled = set()
    for entry in plan["activate"]:
        if entry.get("command"):
            _run_command(entry, report)
        elif units and entry.get("unit") in before:
            _settle_unit(before[entry["unit"]], report, verb=entry["verb"])
            settled.add(entry["unit"])
    for name, unit in before.items():
        if name not in settled:
            _settle_unit(unit, report, verb=None)


def _reload_manager(plan: Plan, report: Report) -> None:
    touched = any(record["path"].startswith(UNIT_DIRECTORIES) for record in plan["paths"])
    if touched or any(entry.get("daemon_reload") for entry in plan["activate"]):
        _systemctl(report, "daemon-reload")


def purge(plan: Plan, report: Report) -> None:
    """Remove the packages that came with the transaction: last, because it takes long."""
    for verb in ("purge", "remove"):
        names = [package["name"] for package in plan["packages"] if package["undo"] == verb]
        if not names:
            continue
        status, output = run(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *names])
        there = [line.split()[0] for line in output.splitlines() if line.split()[1:] not in ([], ["un"], ["rc"])]
        there = there if verb == "remove" else [name for name in names if f"{name} " in output]
        if not there:
            continue
        options = ["-o", "DPkg::Lock::Timeout=120", "-y"]
        status, output = run(["apt-get", verb, *options, *there], timeout=PACKAGE_SECONDS)
        if status == 0:
            report.done(
                f"{verb}d the packages {' '.join(there)}".replace("purged", "purged").replace("removed", "removed")
            )
        else:
            report.problem(f"apt-get {verb} {' '.join(there)}: {output[-500:]}")


def restore(plan: Plan, report: Report) -> None:
    """Put files and the units' links back, and have systemd read them."""
    say(f"reverting the {describe(plan)}: {report.why}")
    _disable_units(plan, report)
    restore_paths(plan, report)
    _reload_manager(plan, report)
    _enable_units(plan, report)
