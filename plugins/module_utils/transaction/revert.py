#!/usr/bin/python3 -I
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return this host to its last confirmed state.

art32-revert            says which transaction is pending, if any
art32-revert NAME       reverts it now
art32-revert --timer NAME, --boot, --finish    are what its systemd units call

The transaction writes what has to be undone to pending.json before it changes anything, and the old files beside it.
This file needs nothing but Python, so that it works whatever state the host is in.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import syslog
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "BASE",
    "PENDING",
    "SAVED",
    "Refused",
    "atomic_write",
    "boot_id",
    "describe",
    "disarm",
    "found",
    "holder_is_alive",
    "locked",
    "process_started",
    "read_json",
    "remove",
    "run",
    "save_plan",
    "sync",
    "temporary",
    "uptime",
]

BASE = Path("/var/lib/art32/transaction")
PENDING = BASE / "pending.json"
SAVED = BASE / "pending"
OUTCOMES = BASE / "outcome"
LOCK = BASE / "lock"
UNITS = Path("/etc/systemd/system")
UNIT_DIRECTORIES = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/")

LOCK_SECONDS = 15
COMMAND_SECONDS = 60
PACKAGE_SECONDS = 600
# A timer may fire this much early (AccuracySec) without the deadline counting as future.
EARLY_SECONDS = 1.0

Plan = dict[str, Any]
Record = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request cannot be met now; the message says why."""


# Reading the host


def uptime() -> float:
    """Seconds since boot; unlike the clock it is never set."""
    return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])


def boot_id() -> str:
    """Tell this boot from any other; in a container by the start of its first process."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{kernel}/{process_started(1)}"


def process_started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot, None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def holder_is_alive(plan: Plan) -> bool:
    """Whether the process that is applying this plan still runs."""
    holder = plan.get("holder") or {}
    started = holder.get("started")
    return plan.get("boot") == boot_id() and started is not None and process_started(holder["pid"]) == started


def run(argv: Sequence[str], *, timeout: float = COMMAND_SECONDS) -> tuple[int, str]:
    """Run a command without a shell. Returns its status and what it said, both streams together."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]}: not found"
    except PermissionError as error:
        return 126, str(error)
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]}: no end within {timeout:.0f} s"
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


# Files that survive a kill at any moment


def temporary(path: str) -> str:
    """Name under which the successor of a file waits beside it: hidden, the same in every run."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".art32-{hashlib.sha256(name.encode()).hexdigest()[:12]}.new")


def sync(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def atomic_write(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a whole file or nothing."""
    partial = Path(temporary(str(path)))
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    partial.rename(path)
    sync(path.parent)


def read_json(path: Path) -> Plan | None:
    """Read a state file; None when there is none or when it is no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def save_plan(plan: Plan) -> None:
    """Record what has to be undone, before it is done."""
    atomic_write(PENDING, json.dumps(plan, indent=1) + "\n")


def remove(path: str | Path) -> None:
    """Remove a file, a link or a whole directory; absence is no error."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the host's lock, for a short section only. Children do not inherit it."""
    with LOCK.open("a", encoding="ascii") as handle:
        for attempt in range(LOCK_SECONDS * 10):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == LOCK_SECONDS * 10 - 1:
                    raise Refused(f"{LOCK} has been held for {LOCK_SECONDS} s") from None
                time.sleep(0.1)
        yield


def describe(plan: Plan) -> str:
    """Say which transaction is pending, whose it is and since when."""
    return f"transaction {plan['name']} of {plan['owner']}, begun {plan['since']}"


def disarm(name: str) -> None:
    """Remove the timer and what the transaction kept. The marker has to be gone before."""
    timer = f"art32-revert-{name}.timer"
    run(["systemctl", "stop", timer])
    for unit in (timer, f"art32-revert-{name}.service"):
        remove(UNITS / unit)
    remove(SAVED)


# Restoring


def found(path: str) -> Record:
    """What is at a path now, in the form of the plan's records."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"kind": "absent"}
    owner = {"uid": status.st_uid, "gid": status.st_gid}
    if stat.S_ISLNK(status.st_mode):
        return {"kind": "link", "target": os.readlink(path), **owner}
    owner["mode"] = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return {"kind": "directory", **owner}
    return {"kind": "file", "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), **owner}


def _is_restored(record: Record) -> bool:
    now = found(record["path"])
    return all(record.get(key) == value for key, value in now.items())


def _restore_file(record: Record) -> None:
    path, partial = record["path"], temporary(record["path"])
    remove(partial)
    shutil.copy2(SAVED / record["saved"], partial)
    os.chown(partial, record["uid"], record["gid"])
    os.chmod(partial, record["mode"])
    sync(partial)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    os.replace(partial, path)


def _restore_link(record: Record) -> None:
    partial = temporary(record["path"])
    remove(partial)
    os.symlink(record["target"], partial)
    os.chown(partial, record["uid"], record["gid"], follow_symlinks=False)
    if os.path.isdir(record["path"]) and not os.path.islink(record["path"]):
        shutil.rmtree(record["path"])
    os.replace(partial, record["path"])


def _restore_directory(record: Record) -> None:
    path = record["path"]
    if not os.path.isdir(path) or os.path.islink(path):
        remove(path)
        os.makedirs(path)
    os.chown(path, record["uid"], record["gid"])
    os.chmod(path, record["mode"])


def _restore_absent(record: Record) -> None:
    path = record["path"]
    if record.get("only_if_empty") and os.path.isdir(path) and not os.path.islink(path):
        with contextlib.suppress(OSError):
            os.rmdir(path)
    else:
        remove(path)


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
    if os.path.isdir(os.path.dirname(path)):
        sync(os.path.dirname(path))
    if _is_restored(record):
        report.done(f"{'removed' if record['kind'] == 'absent' else 'restored'} {path}")
    elif record.get("only_if_empty"):
        report.note(f"left {path}, which is not empty")
    else:
        report.problem(f"{path} is not as it was")


def _restore_paths(plan: Plan, report: Report) -> None:
    """Put every path back: what was there first, what was not there last and deepest first."""
    records = plan["paths"]
    there = [record for record in records if record["kind"] != "absent"]
    new = [record for record in records if record["kind"] == "absent"]
    for record in [*there, *sorted(new, key=lambda record: str(record["path"]), reverse=True)]:
        try:
            _restore_path(record, report)
        except OSError as error:
            report.problem(f"{record['path']}: {error}")


class Report:
    """What a revert did, for the journal and for the controller."""

    def __init__(self, plan: Plan, why: str) -> None:
        """Begin the report of one revert."""
        self.plan = plan
        self.why = why
        self.actions: list[str] = []
        self.notes: list[str] = []
        self.problems: list[str] = []

    def done(self, text: str) -> None:
        """Something was undone."""
        self.actions.append(text)
        say(text)

    def note(self, text: str) -> None:
        """Something worth knowing, which does not matter for the state."""
        self.notes.append(text)
        say(text)

    def problem(self, text: str) -> None:
        """Something could not be undone."""
        self.problems.append(text)
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
        atomic_write(OUTCOMES / f"{self.plan['name']}.json", json.dumps(outcome, indent=1) + "\n")


def say(text: str, priority: int = syslog.LOG_NOTICE) -> None:
    """Tell the terminal or the unit's journal, and the journal when started by hand."""
    print(text, flush=True)  # noqa: T201 - this is a program of its own
    if "JOURNAL_STREAM" not in os.environ:
        syslog.openlog("art32-revert")
        syslog.syslog(priority, text)


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
    argv = entry.get("undo") or entry["command"]
    status, output = run(argv)
    if status == 0:
        report.done(f"ran {' '.join(argv)}")
    elif status == 127:  # noqa: PLR2004 - the shells' number for "no such command"
        report.note(f"{argv[0]} is not there any more")
    else:
        report.problem(f"{' '.join(argv)}: {output or status}")


def _activate(plan: Plan, report: Report, *, units: bool) -> None:
    """Load the restored files, in the order in which the transaction loaded its own."""
    before = {unit["name"]: unit for unit in plan["units"]}
    settled = set()
    for entry in plan["activate"]:
        if entry.get("command"):
            _run_command(entry, report)
        elif units and entry.get("unit") in before:
            _settle_unit(before[entry["unit"]], report, verb=entry["verb"])
            settled.add(entry["unit"])
    for name in before:
        if name not in settled:
            _settle_unit(before[name], report, verb=None)


def _reload_manager(plan: Plan, report: Report) -> None:
    touched = any(record["path"].startswith(UNIT_DIRECTORIES) for record in plan["paths"])
    if touched or any(entry.get("daemon_reload") for entry in plan["activate"]):
        _systemctl(report, "daemon-reload")


def _purge(plan: Plan, report: Report) -> None:
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


# The ways to start


def _kill_holder(plan: Plan) -> None:
    """End a transaction that is still applying, so that it does not undo the undoing."""
    if plan["stage"] in ("preparing", "armed") and holder_is_alive(plan):
        with contextlib.suppress(ProcessLookupError):
            os.kill(plan["holder"]["pid"], signal.SIGKILL)


def _is_due(plan: Plan) -> bool:
    if plan["stage"] == "preparing":
        return not holder_is_alive(plan)
    if plan["stage"] in ("armed", "waiting"):
        return plan["boot"] != boot_id() or uptime() >= float(plan["deadline"]) - EARLY_SECONDS
    return True


def _take_over(name: str | None, *, unless_due: bool = False) -> Plan | None:
    """Claim the pending transaction for this revert; None when there is nothing to do for it."""
    with locked():
        plan = read_json(PENDING)
        if plan is None or name not in (None, plan["name"]):
            return None
        if unless_due and not _is_due(plan):
            run(["systemctl", "--no-block", "restart", f"art32-revert-{plan['name']}.timer"])
            raise SystemExit(0)
        if plan["stage"] == "reverting" and holder_is_alive(plan):
            raise Refused(f"the {describe(plan)}, is being reverted already")
        _kill_holder(plan)
        plan.update(
            stage="reverting", boot=boot_id(), holder={"pid": os.getpid(), "started": process_started(os.getpid())}
        )
        save_plan(plan)
    return plan


def _finish(plan: Plan, report: Report) -> int:
    """Say how it ended; the marker stays when the host is not in its last confirmed state."""
    report.save()
    if report.problems:
        say(f"{plan['name']} could NOT be returned to its last confirmed state completely", syslog.LOG_ERR)
        return 1
    with locked():
        remove(PENDING)
    say(f"{plan['name']} is in its last confirmed state again ({report.why})")
    disarm(plan["name"])
    return 0


def _restore(plan: Plan, report: Report) -> None:
    say(f"reverting the {describe(plan)}: {report.why}")
    _disable_units(plan, report)
    _restore_paths(plan, report)
    _reload_manager(plan, report)
    _enable_units(plan, report)


def revert(name: str | None, why: str, *, unless_due: bool = False) -> int:
    """Return to the last confirmed state now."""
    plan = _take_over(name, unless_due=unless_due)
    if plan is None:
        say(f"no transaction {name or ''} is pending".replace("  ", " "))
        if name:
            disarm_quietly(name)
        return 0
    report = Report(plan, why)
    _restore(plan, report)
    _activate(plan, report, units=True)
    _purge(plan, report)
    return _finish(plan, report)


def disarm_quietly(name: str) -> None:
    """Remove a timer that was left behind, unless another transaction is pending."""
    with locked():
        if read_json(PENDING) is None:
            disarm(name)


def boot() -> int:
    """Restore files before the services start; the rest follows when they have."""
    plan = _take_over(None)
    if plan is None:
        return 0
    report = Report(plan, "the host was restarted before the confirmation")
    _restore(plan, report)
    plan["restored"] = report.actions
    save_plan(plan)
    run(["systemctl", "--no-block", "start", "art32-revert-finish.service"])
    return 1 if report.problems else 0


def finish() -> int:
    """After a boot: run the commands again and remove packages."""
    plan = _take_over(None)
    if plan is None:
        return 0
    report = Report(plan, "the host was restarted before the confirmation")
    report.actions.extend(plan.get("restored", []))
    _restore_paths(plan, report)
    _activate(plan, report, units=False)
    _purge(plan, report)
    return _finish(plan, report)


def _status() -> int:
    plan = read_json(PENDING)
    if plan is None:
        say("no transaction is pending")
        return 0
    left = float(plan.get("deadline") or 0) - uptime()
    say(f"the {describe(plan)}, is {plan['stage']}" + (f", reverts in {left:.0f} s" if left > 0 else ""))
    return 0


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    if not arguments:
        return _status()
    if arguments == ["--boot"]:
        return boot()
    if arguments == ["--finish"]:
        return finish()
    if arguments[0] == "--timer" and len(arguments) == 2:  # noqa: PLR2004
        return revert(arguments[1], "it was not confirmed in time", unless_due=True)
    if len(arguments) == 1 and not arguments[0].startswith("-"):
        return revert(arguments[0], "asked for by hand")
    print(__doc__)  # noqa: T201
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refusal:
        sys.exit(f"art32-revert: {refusal}")
