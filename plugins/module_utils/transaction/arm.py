# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one pending transaction of a host: begin it, arm its revert, commit it or give it up."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.transaction import revert
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request
    from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

__all__ = ["arm", "begin", "commit", "give_up", "outcome"]

SCRIPT = revert.Path("/usr/local/sbin/art32-revert")
REVERT_SECONDS = 900
_SERVICE = """\
# Written by art32.server.transaction for as long as the transaction is pending.
[Unit]
Description=Return to the last confirmed state of {name}
OnFailure=art32-alert@%n.service

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {script} --timer {name}
TimeoutStartSec=900
SyslogIdentifier=art32-revert
"""
_TIMER = """\
# Written by art32.server.transaction for as long as the transaction is pending.
[Unit]
Description=Revert {name} unless it is confirmed in time

[Timer]
OnActiveSec={timeout}s
AccuracySec=1s
"""
_BOOT = """\
# Written by art32.server.transaction. Does nothing unless the host went down with a transaction pending.
[Unit]
Description=Return to the last confirmed state before the services start
DefaultDependencies=no
ConditionPathExists={pending}
RequiresMountsFor={base} /etc /usr
After=local-fs.target
Before=sysinit.target network-pre.target ufw.service nftables.service netfilter-persistent.service
Before=systemd-sysctl.service systemd-tmpfiles-setup.service systemd-networkd.service networking.service
Before=ssh.service ssh.socket shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I {script} --boot
TimeoutStartSec=300
SyslogIdentifier=art32-revert

[Install]
WantedBy=sysinit.target
"""
_FINISH = """\
# Written by art32.server.transaction. Started by art32-revert-boot.service when there was something to revert.
[Unit]
Description=Finish the return to the last confirmed state after the services have started
After=multi-user.target
ConditionPathExists={pending}

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {script} --finish
TimeoutStartSec=900
SyslogIdentifier=art32-revert
"""


def begin(request: Request, units: dict[str, UnitState], changes: list[str]) -> revert.Plan:
    """Take the host's one place for a pending transaction, with a timer behind it.

    Raises TransactionError when another one is pending.
    """
    _make_base()
    _recover()
    plan: revert.Plan = {
        "name": request.name,
        "token": request.token,
        "owner": request.owner,
        "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "boot": revert.boot_id(),
        "holder": {"pid": os.getpid(), "started": revert.process_started(os.getpid())},
        "stage": "preparing",
        "timeout": request.timeout,
        "paths": [],
        "packages": [],
        "activate": [],
        "units": [
            {
                "name": name,
                "active": state.is_active or state.active == "activating",
                "file_state": state.file_state,
            }
            for name, state in units.items()
        ],
        "changes": changes,
    }
    with revert.locked():
        pending = revert.read_json(revert.PENDING)
        if pending is not None:
            raise TransactionError(_refusal(pending))
        revert.remove(revert.SAVED)
        revert.SAVED.mkdir(mode=0o700)
        revert.save_plan(plan)
    _install_units(request)
    return plan


def refuse_if_pending() -> None:
    """Raise TransactionError when somebody's transaction is pending: what is there may not stay."""
    pending = revert.read_json(revert.PENDING)
    if pending is not None and not _is_stale(pending):
        raise TransactionError(_refusal(pending))


def arm(plan: revert.Plan, *, paths: list[revert.Record], activate: list[dict[str, Any]]) -> None:
    """Record everything that is going to change and start the time that is left for it."""
    now = revert.uptime()
    plan.update(stage="armed", deadline=now + plan["timeout"], activate=activate)
    plan["paths"] = [*plan["paths"], *paths]
    revert.save_plan(plan)
    _systemctl("restart", f"art32-revert-{plan['name']}.timer")


def wait(plan: revert.Plan) -> None:
    """Everything is applied: from now on a commit is accepted, over a connection younger than this moment."""
    with revert.locked():
        _still_ours(plan)
        plan.update(stage="waiting", waiting=revert.uptime(), holder=None)
        revert.save_plan(plan)


def commit(plan: revert.Plan) -> None:
    """Make the present state the last confirmed one."""
    with revert.locked():
        _still_ours(plan)
        revert.remove(revert.PENDING)
    revert.disarm(plan["name"])


def _still_ours(plan: revert.Plan) -> None:
    pending = revert.read_json(revert.PENDING)
    if pending is None or pending["token"] != plan["token"] or pending["stage"] == "reverting":
        raise TransactionError(
            f"Transaction {plan['name']} has been reverted meanwhile: its {plan['timeout']} s were over"
        )


def give_up(plan: revert.Plan) -> dict[str, Any] | None:
    """Revert now. Returns the outcome, None when there was nothing to undo."""
    name = plan["name"]
    if not plan["paths"] and not plan["packages"] and not plan["activate"]:
        commit(plan)
        return None
    with revert.locked():
        pending = revert.read_json(revert.PENDING)
        if pending is not None and pending["token"] == plan["token"] and pending["stage"] != "reverting":
            pending.update(stage="failed", holder=None)
            revert.save_plan(pending)
    status, _ = revert.run(["systemctl", "start", f"art32-revert-{name}.service"], timeout=REVERT_SECONDS)
    if status != 0 and revert.read_json(revert.PENDING) is not None:
        revert.run(["/usr/bin/python3", "-I", str(SCRIPT), name], timeout=REVERT_SECONDS)
    return outcome(name, plan["token"])


def outcome(name: str, token: str) -> dict[str, Any] | None:
    """Give what a revert of this very transaction did, None when there was none."""
    value = revert.read_json(revert.OUTCOMES / f"{name}.json")
    return value if value is not None and value.get("token") == token else None


def _make_base() -> None:
    revert.BASE.parent.mkdir(mode=0o755, exist_ok=True)
    revert.BASE.mkdir(mode=0o700, exist_ok=True)
    revert.BASE.chmod(0o700)


def _recover() -> None:
    """Revert what a transaction left behind that nobody can commit any more and no timer will revert."""
    pending = revert.read_json(revert.PENDING)
    if pending is None or not _is_stale(pending):
        return
    revert.run(["/usr/bin/python3", "-I", str(SCRIPT), pending["name"]], timeout=REVERT_SECONDS)
    if revert.read_json(revert.PENDING) is not None:
        raise TransactionError(
            f"The {revert.describe(pending)}, was interrupted and cannot be reverted; see `journalctl -t art32-revert`"
        )


def _is_stale(pending: revert.Plan) -> bool:
    if revert.holder_is_alive(pending):
        return False
    if pending["stage"] in ("preparing", "armed"):
        return True
    unit = f"art32-revert-{pending['name']}"
    units = [f"{unit}.timer", f"{unit}.service", "art32-revert-boot.service", "art32-revert-finish.service"]
    _, output = revert.run(["systemctl", "show", "--property=ActiveState,SubState,Job", "--", *units])
    states = [dict(line.split("=", 1) for line in block.splitlines()) for block in output.split("\n\n")]
    waits = states[0].get("ActiveState") == "active" and states[0].get("SubState") == "waiting"
    return not waits and not any(
        state.get("ActiveState") == "activating" or state.get("Job", "0") not in ("0", "") for state in states
    )


def _refusal(pending: revert.Plan) -> str:
    left = float(pending.get("deadline") or 0) - revert.uptime()
    when = f"; it is reverted in {left:.0f} s unless it is confirmed" if left > 0 else ""
    return f"Another transaction is pending on this host: the {revert.describe(pending)}, is {pending['stage']}{when}. Nothing was changed"


def _install_units(request: Request) -> None:
    """Write the timer, its service, the boot unit and the script they start."""
    values = {
        "name": request.name,
        "timeout": request.timeout,
        "script": SCRIPT,
        "pending": revert.PENDING,
        "base": revert.BASE,
    }
    loader = revert.__loader__
    source = loader.get_source(revert.__name__) if loader else None
    if source is None:
        raise TransactionError("The source of art32-revert is not at hand")
    texts = {
        SCRIPT: source,
        revert.UNITS / "art32-revert-boot.service": _BOOT.format(**values),
        revert.UNITS / "art32-revert-finish.service": _FINISH.format(**values),
        revert.UNITS / f"art32-revert-{request.name}.service": _SERVICE.format(**values),
        revert.UNITS / f"art32-revert-{request.name}.timer": _TIMER.format(**values),
    }
    written = [
        path for path, text in texts.items() if _write_if_different(path, text, mode=0o755 if path == SCRIPT else 0o644)
    ]
    wants = revert.UNITS / "sysinit.target.wants" / "art32-revert-boot.service"
    if not wants.is_symlink():
        wants.parent.mkdir(exist_ok=True)
        wants.symlink_to(revert.UNITS / "art32-revert-boot.service")
    timer = f"art32-revert-{request.name}.timer"
    _, output = revert.run(
        ["systemctl", "show", "--property=NeedDaemonReload", "--", timer, timer.replace(".timer", ".service")]
    )
    if "NeedDaemonReload=yes" in output and written:
        _systemctl("daemon-reload")
    _systemctl("restart", timer)


def _write_if_different(path: Path, text: str, *, mode: int) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    revert.atomic_write(path, text, mode=mode)
    return True


def _systemctl(*arguments: str) -> None:
    status, output = revert.run(["systemctl", *arguments])
    if status != 0:
        raise TransactionError(f"systemctl {' '.join(arguments)}: {output or status}")
