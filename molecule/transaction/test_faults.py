"""Whatever fails between the first change and the confirmation, the host is back in its last confirmed state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from conftest import GRACE_SECONDS, until

if TYPE_CHECKING:
    import subprocess

    from conftest import Host, Plays

TIMER = 10
# Where a task names no time.
DEFAULT_TIMER = 60
# Keeps the activation busy, with the new files in place and loaded.
LINGER = [{"command": "sleep 4"}]


def begun(host: Host, plays: Plays, *, seconds: int = TIMER) -> subprocess.Popen[str]:
    """Start a change and return when its new word is loaded, but not confirmed."""
    process = plays.start(word="second", login=True, seconds=seconds, after=LINGER)
    until(lambda: host.word() == "second", "the new word is loaded")
    return process


def assert_reverted(host: Host, *, within: float = TIMER + GRACE_SECONDS) -> None:
    until(lambda: not host.pending(), "nothing is pending any more", within)
    assert '"first"' in host.file("/etc/lantern/lantern.json")
    assert host.word() == "first"
    assert host.says("systemctl is-active lantern.service") == "active"
    assert "lantern is in its last confirmed state again" in host.journal()
    assert host.says("systemctl list-timers --all 'art32-revert-*' --no-legend | wc -l") == "0"
    host.is_first = True


def test_a_killed_controller_reverts(lantern: Host, plays: Plays) -> None:
    process = begun(lantern, plays)
    plays.kill(process)
    until(lambda: lantern.pending().get("stage") == "waiting", "the module has ended")
    assert lantern.says("systemctl list-timers --all 'art32-revert-*' --no-legend | wc -l") == "1"
    assert_reverted(lantern)


def test_the_default_timer_reverts(lantern: Host, plays: Plays) -> None:
    plays.kill(begun(lantern, plays, seconds=0))
    assert lantern.pending()["timeout"] == DEFAULT_TIMER
    assert_reverted(lantern, within=DEFAULT_TIMER + GRACE_SECONDS)


def test_a_killed_module_reverts(lantern: Host, plays: Plays) -> None:
    process = begun(lantern, plays)
    lantern.says(f"kill -9 {lantern.pending()['holder']['pid']}")
    assert_reverted(lantern)
    done = plays.end(process)
    assert done.status != 0
    assert "last confirmed state again" in done.output


def test_without_the_timer_the_change_would_stay_and_the_next_run_reverts_first(lantern: Host, plays: Plays) -> None:
    process = begun(lantern, plays)
    plays.kill(process)
    until(lambda: lantern.pending().get("stage") == "waiting", "the module has ended")
    lantern.says("systemctl stop art32-revert-lantern.timer; sleep 12")
    assert lantern.word() == "second"
    done = plays.run(word="third")
    assert done.status == 0, done.output
    assert "lantern is in its last confirmed state again" in lantern.journal()
    assert lantern.word() == "third"


def test_a_reboot_in_the_window_reverts(lantern: Host, plays: Plays) -> None:
    process = plays.start(word="second", login=True, seconds=300, after=LINGER)
    until(lambda: lantern.word() == "second", "the new word is loaded")
    plays.kill(process)
    until(lambda: lantern.pending().get("stage") == "waiting", "the module has ended")
    lantern.reboot()
    assert_reverted(lantern)
    assert "the host was restarted" in lantern.journal()


def test_a_module_killed_while_it_prepares_keeps_no_place(lantern: Host, plays: Plays) -> None:
    slow = [{"command": ["sh", "-c", "touch /etc/lantern/made; sleep 30"], "creates": "/etc/lantern/made"}]
    process = plays.start(word="second", prepare=slow, seconds=8)
    until(
        lambda: lantern.file("/etc/lantern/made") is not None and lantern.pending().get("stage") == "preparing",
        "it prepares",
    )
    lantern.says(f"kill -9 {lantern.pending()['holder']['pid']}")
    plays.end(process)
    done = plays.run(word="third")
    assert done.status == 0, done.output
    assert lantern.word() == "third"
    assert not lantern.pending()
    assert lantern.ssh("test -e /etc/lantern/made").returncode != 0


def test_a_failed_validation_changes_nothing(lantern: Host, plays: Plays) -> None:
    before = lantern.says("find /etc/lantern /etc/systemd -type f | xargs stat -c '%n %Z'")
    result = plays.result(word='quo"te')
    assert result["failed"]
    assert "Expecting ',' delimiter" in result["msg"]
    assert result["state"] == "refused"
    assert lantern.says("find /etc/lantern /etc/systemd -type f | xargs stat -c '%n %Z'") == before
    assert not lantern.pending()


def test_a_failed_activation_reverts_at_once(lantern: Host, plays: Plays) -> None:
    result = plays.result(word="second", after=[{"command": "/bin/ls /nowhere"}], seconds=60)
    assert "Activation failed: /bin/ls /nowhere" in result["msg"]
    assert "No such file" in result["msg"]
    assert "restored /etc/lantern/lantern.json" in result["msg"]
    assert result["state"] == "reverted"
    assert_reverted(lantern, within=1)


def test_a_failed_probe_is_named_and_reverts_at_once(lantern: Host, plays: Plays) -> None:
    result = plays.result(word="second", probes=[{"port": 9, "timeout": 1}], seconds=60)
    assert "Probe failed: port 9 on 127.0.0.1: Connection refused" in result["msg"]
    assert_reverted(lantern, within=1)


def test_a_first_change_that_fails_leaves_the_host_as_it_was_found(fresh: Host, plays: Plays) -> None:
    fresh.says("apt-get -q -y purge tree || true")
    result = plays.result(packages=["tree"], probes=[{"port": 9, "timeout": 1}])
    assert result["state"] == "reverted", result["msg"]
    assert fresh.ssh(
        "test -e /etc/lantern -o -e /usr/local/lib/lantern -o -e /etc/systemd/system/lantern.service"
    ).returncode
    assert fresh.says("systemctl show -p LoadState -p ActiveState lantern.service").split() == [
        "LoadState=not-found",
        "ActiveState=inactive",
    ]
    assert fresh.says("find /etc/systemd -xtype l -lname '*lantern*'") == ""
    assert fresh.ssh("dpkg-query -W tree").returncode != 0


def lock_out_by_sshd() -> dict[str, object]:
    dropin = {"content": "AllowUsers nobody\n", "dest": "/etc/ssh/sshd_config.d/00-lantern.conf"}
    return {"more_files": [dropin], "after": [{"unit": "ssh.service", "verb": "reload"}]}


def lock_out_by_packet_filter() -> dict[str, object]:
    rule = "INPUT ! -i lo -j DROP"  # the host's own probes go on to work
    return {"after": [{"command": f"iptables -I {rule}", "undo": f"iptables -D {rule}"}]}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lock_out_by_sshd, "Permission denied|reset by peer|closed by"),
        (lock_out_by_packet_filter, "timed out|was reverted|did not end within"),
    ],
)
def test_no_way_back_in_reverts(lantern: Host, plays: Plays, fault: object, reason: str) -> None:
    assert callable(fault)
    lantern.says("command -v iptables || apt-get -q -y install iptables")
    process = plays.start(word="second", login=True, seconds=TIMER, **fault())
    until(lambda: not lantern.lets_in(), "nobody gets in")
    took = until(lantern.lets_in, "a new login works again", TIMER + GRACE_SECONDS)
    done = plays.end(process)
    assert done.status != 0
    assert re.search(reason, done.output)
    assert "last confirmed state again" in done.output
    assert took < TIMER + GRACE_SECONDS
    assert_reverted(lantern, within=5)


def test_a_connection_older_than_the_change_confirms_nothing(lantern: Host, plays: Plays) -> None:
    multiplexed = f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={plays.directory}/old"
    settings = {"ANSIBLE_SSH_EXECUTABLE": str(plays.reusing_ssh()), "ANSIBLE_SSH_ARGS": multiplexed}
    done = plays.end(plays.start(word="second", login=True, seconds=TIMER, settings=settings))
    assert done.status != 0
    assert "This connection is older than the change" in done.output
    assert_reverted(lantern)


def test_a_second_run_is_refused_with_who_and_since_when(lantern: Host, plays: Plays) -> None:
    first = plays.start(word="second", after=[{"command": "sleep 15"}], seconds=60, settings={"ART32_PERSON": "jane"})
    until(lambda: lantern.pending().get("stage") == "armed", "the first is applying")
    second = plays.result(word="third")
    assert second["failed"]
    assert not second["changed"]
    assert "Another transaction is pending on this host: the transaction lantern of jane on " in second["msg"]
    assert "begun 20" in second["msg"]
    assert plays.end(first).status == 0
    assert lantern.word() == "second"


def test_the_disk_is_full(lantern: Host, plays: Plays) -> None:
    lantern.says(
        "mkdir -p /var/lib/art32/transaction && mount -t tmpfs -o size=300k,mode=700 tmpfs /var/lib/art32/transaction"
    )
    try:
        filler = {"content": "x" * 200_000, "dest": "/etc/lantern/large"}
        result = plays.result(word="second", more_files=[filler])
        assert "No space left on device; nothing was changed" in result["msg"]
        assert lantern.word() == "first"
    finally:
        lantern.says("umount /var/lib/art32/transaction")
