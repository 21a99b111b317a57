"""When a running system is behind its files, and when it is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import stamp
from ansible_collections.art32.server.plugins.module_utils.transaction.files import Found
from ansible_collections.art32.server.plugins.module_utils.transaction.model import Activation, Request
from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

BOOT, CHANGED = 100.0, 200.0
FILE = Found(kind="file", content=b"x", ctime=CHANGED)
HASHES = {"/etc/x": stamp.digest(FILE)}


def stale(entry: Activation, *, loaded: tuple[tuple[str, ...], ...] = (), **known: Any) -> dict[int, str]:  # noqa: ANN401
    evidence = {"stamp": None, "state": None, "units": {}, "files": {"/etc/x": FILE}, "outputs": {}, "booted": BOOT}
    request = Request(name="x", token="", owner="", activate=(entry,), loaded=loaded)
    return stamp.stale(request, stamp.Evidence(**{**evidence, **known}))


def running(**moments: float) -> dict[str, UnitState]:
    return {"x.service": UnitState(load="loaded", active="active", invocation="one", **moments)}  # type: ignore[arg-type]


RELOAD = Activation(unit="x.service", verb="reload")
RESTART = Activation(unit="x.service", verb="restart")
COMMAND = Activation(command=("load", "it"))


@pytest.mark.parametrize(
    ("entry", "moments", "due"),
    [
        (RELOAD, {"started": CHANGED + 1}, False),
        (RELOAD, {"started": CHANGED - 1}, True),
        (RELOAD, {"started": CHANGED - 1, "reloaded": CHANGED + 1}, False),
        (RELOAD, {"started": CHANGED - 1, "reloaded": CHANGED - 0.5}, True),
        (RESTART, {"started": CHANGED - 1, "reloaded": CHANGED + 1}, True),
        (RESTART, {"started": CHANGED + 1}, False),
        (RELOAD, {}, True),
        (Activation(unit="x.service", verb="stop"), {"started": CHANGED - 1}, False),
        (Activation(unit="x.service", verb="start"), {"started": CHANGED - 1}, False),
        (Activation(unit="x.service", files=("/etc/other",)), {"started": CHANGED - 1}, False),
    ],
)
def test_a_unit_is_stale_when_its_files_changed_after_it_read_them(
    entry: Activation, moments: dict[str, float], *, due: bool
) -> None:
    assert bool(stale(entry, units=running(**moments))) is due


@pytest.mark.parametrize(
    ("mark", "due"),
    [
        ({"units": {"x.service": "one"}, "files": HASHES, "activated": CHANGED + 1}, False),
        ({"units": {"x.service": "two"}, "files": HASHES, "activated": CHANGED + 1}, True),
        ({"units": {"x.service": "one"}, "files": {"/etc/x": "else"}, "activated": CHANGED + 1}, True),
        ({"units": {"x.service": "one"}, "files": HASHES, "activated": CHANGED - 1}, True),
        ({}, True),
    ],
)
def test_a_stamp_vouches_for_one_process_and_these_files(mark: dict[str, Any], *, due: bool) -> None:
    # A unit whose reloads systemd does not see, such as one that is reloaded over D-Bus.
    assert bool(stale(RELOAD, units=running(started=CHANGED - 1), stamp=mark)) is due


def test_a_unit_that_does_not_run_is_not_behind() -> None:
    assert not stale(RELOAD, units={"x.service": UnitState(active="inactive", started=CHANGED - 1)})


@pytest.mark.parametrize(
    ("state", "booted", "due"),
    [
        (None, BOOT, True),
        ({"activated": CHANGED + 1}, BOOT, False),
        ({"activated": CHANGED - 1}, BOOT, True),
        (None, CHANGED + 1, False),
    ],
)
def test_a_commands_effect_lasts_until_a_file_changes(
    state: dict[str, Any] | None, booted: float, *, due: bool
) -> None:
    assert bool(stale(COMMAND, state=state, booted=booted)) is due


def test_unit_files_that_systemd_has_not_read_are_due() -> None:
    pending = {"x.service": UnitState(active="active", needs_daemon_reload=True)}
    assert "x.service" in stale(Activation(daemon_reload=True), units=pending)[0]
    assert not stale(Activation(daemon_reload=True), units=running())


@pytest.mark.parametrize(
    ("known", "now", "due"),
    [
        ({"iptables -S": "a"}, {"iptables -S": "a"}, False),
        ({"iptables -S": "a"}, {"iptables -S": "b"}, True),
        ({}, {"iptables -S": "a"}, True),
    ],
)
def test_what_is_loaded_is_compared(known: dict[str, str], now: dict[str, str], *, due: bool) -> None:
    state = {"activated": CHANGED + 1, "loaded": known}
    assert bool(stale(COMMAND, loaded=(("iptables", "-S"),), state=state, outputs=now)) is due
