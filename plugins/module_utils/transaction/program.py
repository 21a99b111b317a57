# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install art32-revert and the units that call it."""

from __future__ import annotations

from ansible_collections.art32.server.plugins.module_utils.archive import archive as program_of
from ansible_collections.art32.server.plugins.module_utils.transaction import disk, laid, pending, restore, revert
from ansible_collections.art32.server.plugins.module_utils.transaction.laid import SCRIPT

__all__ = ["SCRIPT", "archive", "install_program", "install_timer"]

_PARTS = (disk, pending, restore, revert)
_SERVICE = """\
# Written by art32.server.transaction for as long as the transaction is pending.
[Unit]
Description=Return to the last confirmed state of {name}
StartLimitIntervalSec=0
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
StartLimitIntervalSec=0

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


def archive() -> bytes:
    """Make one file of the revert's modules."""
    return program_of("art32_revert", _PARTS, main="revert")


def install_program() -> None:
    """Write the program and the units that call it after a reboot, where they differ."""
    values = {"script": SCRIPT, "pending": pending.PENDING, "base": pending.BASE}
    boot = pending.UNITS / "art32-revert-boot.service"
    pieces = [
        laid.Piece(path=SCRIPT, content=archive(), mode=0o755),
        laid.Piece(path=boot, content=_BOOT.format(**values).encode()),
        laid.Piece(path=pending.UNITS / "art32-revert-finish.service", content=_FINISH.format(**values).encode()),
        laid.Piece(path=pending.UNITS / "sysinit.target.wants" / boot.name, link=str(boot)),
    ]
    laid.lay_all(pieces)


def install_timer(name: str, timeout: int) -> None:
    """Write a transaction's timer and what it starts."""
    values = {"name": name, "timeout": timeout, "script": SCRIPT}
    units = {f"art32-revert-{name}.timer": _TIMER, f"art32-revert-{name}.service": _SERVICE}
    texts = {unit: text.format(**values).encode() for unit, text in units.items()}
    laid.lay(laid.Piece(path=pending.UNITS / unit, content=text) for unit, text in texts.items())
    _reload_if_needed(list(units))


def _reload_if_needed(units: list[str]) -> None:
    """Have systemd read the units again if it holds others of these names; new ones it reads by itself."""
    _, output = pending.run(["systemctl", "show", "--property=NeedDaemonReload", "--", *units])
    if "NeedDaemonReload=yes" in output:
        pending.run(["systemctl", "daemon-reload"])
