"""What systemctl and apt say, read; what a unit needs, derived."""

from __future__ import annotations

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import packages, system
from ansible_collections.art32.server.plugins.module_utils.transaction.compare import unit_verbs
from ansible_collections.art32.server.plugins.module_utils.transaction.model import Unit
from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

SHOWN = """\
ExecMainStartTimestamp=Mon 2026-11-23 21:25:36.968236 UTC
ExecReload={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -t ; ignore_errors=no ; start_time=[Mon 2026-11-23 21:30:00.000000 UTC] ; stop_time=[Mon 2026-11-23 21:30:00.100000 UTC] ; pid=7 ; code=exited ; status=0/0 }
ExecReload={ path=/bin/kill ; argv[]=/bin/kill -HUP $MAINPID ; ignore_errors=no ; start_time=[Mon 2026-11-23 21:30:01.000000 UTC] ; stop_time=[Mon 2026-11-23 21:30:01.100000 UTC] ; pid=8 ; code=exited ; status=0/0 }
LoadState=loaded
ActiveState=active
UnitFileState=enabled
InvocationID=759de508725346d9a6c12d66f19e0121
NeedDaemonReload=no

LoadState=not-found
ActiveState=inactive
"""  # noqa: E501 - as systemd prints it


def test_units_are_read_in_the_order_asked() -> None:
    states = system.parse_units(["ssh.service", "none.service"], SHOWN)
    ssh = states["ssh.service"]
    assert (ssh.is_active, ssh.is_enabled, ssh.invocation[:4]) == (True, True, "759d")
    assert ssh.started is not None
    assert ssh.reloaded is not None
    assert ssh.reloaded - ssh.started == pytest.approx(263.031764)
    assert states["none.service"] == UnitState(load="not-found")


@pytest.mark.parametrize(
    "spoilt",
    [SHOWN.replace("status=0/0", "status=1/FAILURE", 1), SHOWN.replace("Mon 2026-11-23 21:30:01.000000 UTC", "n/a")],
)
def test_a_reload_that_failed_or_never_was_does_not_count(spoilt: str) -> None:
    assert system.parse_units(["ssh.service"], spoilt)["ssh.service"].reloaded is None


def test_a_unit_without_a_process_started_when_it_became_active() -> None:
    shown = "ExecMainStartTimestamp=\nActiveEnterTimestamp=Mon 2026-11-23 21:25:36.968236 UTC"
    assert system.parse_units(["x.timer"], shown)["x.timer"].started is not None


@pytest.mark.parametrize(
    ("declared", "state", "verbs"),
    [
        ({"enabled": True, "state": "started"}, {"active": "active", "file_state": "enabled"}, ()),
        ({"enabled": True, "state": "started"}, {}, ("enable", "start")),
        ({"enabled": False, "state": "stopped"}, {"active": "active", "file_state": "enabled"}, ("stop", "disable")),
        ({"enabled": True}, {"file_state": "static"}, ()),
        ({"enabled": False}, {"file_state": "static"}, ()),
        ({"masked": True}, {"file_state": "enabled"}, ("mask",)),
        ({"masked": True}, {"file_state": "masked"}, ()),
        (
            {"masked": False, "enabled": True, "state": "started"},
            {"file_state": "masked"},
            ("unmask", "enable", "start"),
        ),
        ({"state": "started"}, {"active": "activating"}, ()),
        ({"state": "started"}, {"active": "failed"}, ("start",)),
        ({}, {"active": "failed"}, ()),
    ],
)
def test_a_unit_gets_the_verbs_it_needs(
    declared: dict[str, object], state: dict[str, str], verbs: tuple[str, ...]
) -> None:
    unit = Unit(name="x.service", **declared)  # type: ignore[arg-type]
    assert unit_verbs(unit, UnitState(**state)) == verbs  # type: ignore[arg-type]


SIMULATION = """\
The following NEW packages will be installed:
  libnginx nginx
Inst libc6 [2.41-1] (2.41-2 Debian:13 [amd64])
Inst libnginx (1.26 Debian:13 [amd64])
Inst nginx (1.26 Debian:13 [all])
Inst oldies (1 Debian:13 [all])
Conf nginx (1.26 Debian:13 [all])
"""


def test_only_what_was_not_there_is_undone() -> None:
    known = {"libc6": "ii", "oldies": "rc"}
    assert packages.newcomers(SIMULATION, known) == [
        {"name": "libnginx", "undo": "purge"},
        {"name": "nginx", "undo": "purge"},
        {"name": "oldies", "undo": "remove"},
    ]


def test_package_states_are_read() -> None:
    assert system.parse_packages("nginx ii \nufw un \nold rc \n") == {"nginx": "ii", "ufw": "un", "old": "rc"}
