"""Whoever is killed or cut off while a change waits for its confirmation: the host takes it back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import GRACE, HELD, HOLD, LET_GO, TIMER, until
from faults import FAULTS

if TYPE_CHECKING:
    import subprocess

    from conftest import Host, Plays

# Leaves the tests' own way in open, so that they can look: the change itself is harmless, the interruption is not.
# It goes on to its confirmation when the interruption is there.
HARMLESS = f"timeout 60 sh -c 'touch {HELD}; while test -e {HOLD}; do sleep 0.1; done'"
WINDOW = TIMER + 5


def begun(host: Host, plays: Plays, *, seconds: int = WINDOW) -> subprocess.Popen[str]:
    """Start a change of sshd; it is installed and loaded when this returns, and waits before it is confirmed."""
    host.says(f"touch {HOLD}; rm -f {HELD}")
    fault = next(fault for fault in FAULTS if fault.name == "allow-groups-typo")
    values = host.values(fault)
    values["files"][0]["content"] = values["files"][0]["content"].replace("AllowGroups art32-poeple", "# changed")
    values["activate"].append({"command": HARMLESS})
    process = plays.start({**values, "seconds": seconds})
    until(lambda: host.ssh(f"test -e {HELD}").returncode == 0, "the change is there, and loaded", 60)
    return process


def assert_as_before(host: Host, before: str) -> None:
    until(lambda: host.lets_in() and host.is_at_rest(), "nothing is pending any more", WINDOW + GRACE)
    assert host.fingerprint() == before
    assert host.says("systemctl is-active ssh.service") == "active"


def test_a_killed_controller(host: Host, plays: Plays, controller_try: int) -> None:
    before = host.fingerprint()
    plays.kill(begun(host, plays))
    assert host.pending(), f"try {controller_try}: nothing was pending, so nothing was proved"
    host.says(LET_GO)
    assert_as_before(host, before)


def test_a_killed_module(host: Host, plays: Plays, module_try: int) -> None:
    before = host.fingerprint()
    process = begun(host, plays)
    host.says(f"kill -9 {host.pending()['holder']['pid']} && {LET_GO}")
    done = plays.end(process)
    assert done.status != 0, f"try {module_try}: {done.output}"
    assert_as_before(host, before)


def test_a_cut_link(host: Host, plays: Plays, link_try: int) -> None:
    """Nothing goes in or out for longer than the timer; when the link is back, everything is as before."""
    before = host.fingerprint()
    process = begun(host, plays)
    seconds = WINDOW + 5
    rules = "$f -t raw -I PREROUTING ! -i lo -j DROP; $f -t raw -I OUTPUT ! -o lo -j DROP"
    cut = f"for f in iptables ip6tables; do {rules}; done"
    mend = cut.replace("-I PREROUTING", "-D PREROUTING").replace("-I OUTPUT", "-D OUTPUT")
    host.says(f"systemd-run --quiet --collect sh -c 'sleep 1; {cut}; {LET_GO}; sleep {seconds}; {mend}'")
    until(lambda: not host.lets_in(), f"try {link_try}: the link is cut", 10)
    until(host.lets_in, "the link is back", seconds + GRACE)
    done = plays.end(process)
    assert done.status != 0, done.output
    assert_as_before(host, before)


def test_a_reboot_in_the_window(host: Host, plays: Plays, reboot_try: int) -> None:
    before = host.fingerprint()
    process = begun(host, plays, seconds=300)
    plays.kill(process)
    assert host.pending(), f"try {reboot_try}: nothing was pending"
    host.podman("restart", "-t", "5")
    until(lambda: host.ssh("systemctl is-system-running --wait").returncode in (0, 1), "the host has booted", 60)
    assert_as_before(host, before)
    assert "the host was restarted" in host.says("journalctl -t art32-revert -o cat --no-pager -q")
