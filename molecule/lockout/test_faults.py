"""Whatever a change breaks: the run fails and says why, and everybody gets in again as before."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from conftest import GRACE, TIMER, until
from faults import SSHD, Fault

if TYPE_CHECKING:
    from conftest import Host, Plays


def test_a_fault_is_taken_back(host: Host, plays: Plays, fault: Fault) -> None:
    values = host.values(fault)
    before = host.fingerprint()
    began = time.monotonic()
    done = plays.end(plays.start(values))
    until(host.lets_in, "a new login works", TIMER + GRACE)
    took = time.monotonic() - began
    assert done.status != 0, f"{fault.name} was committed:\n{done.output}"
    assert re.search(fault.told, done.output), done.output
    until(host.is_at_rest, "nothing is pending any more", GRACE)
    assert host.fingerprint() == before
    # From the start of the playbook: its own time, the timer, the revert.
    assert took < TIMER + 2 * GRACE
    if fault.area == "pg_hba":
        assert host.says("runuser -u postgres -- psql -XAtc 'select 1'") == "1"
        assert (
            host.says(
                "runuser -u postgres -- psql -XAtc 'select count(*) from pg_hba_file_rules where error is not null'"
            )
            == "0"
        )


def test_what_sshd_itself_says_of_a_fault(host: Host, sshd_fault: Fault) -> None:
    """`sshd -t` finds one of fifteen: it is no check of whether anybody gets in."""
    config = sshd_fault.change(host.live())[SSHD]
    tested = host.ssh(f"cat >/root/tested <<'EOF'\n{config}EOF\n/usr/sbin/sshd -t -f /root/tested")
    assert (tested.returncode == 0) == sshd_fault.passes_sshd_test, tested.stderr


def test_the_same_change_without_its_fault_is_committed(host: Host, plays: Plays) -> None:
    """The positive twin: the machinery of these tests lets a good change pass."""
    good = Fault(name="none", area="sshd", change=lambda live: {SSHD: f"{live[SSHD]}# a comment\n"})
    values = host.values(good)
    before = host.live()
    done = plays.end(plays.start(values))
    assert done.status == 0, done.output
    assert host.is_at_rest()
    back = Fault(name="back", area="sshd", change=lambda _: {SSHD: before[SSHD]})
    assert plays.end(plays.start(host.values(back))).status == 0
