"""What runs all tests keeps the processors busy, and leaves nothing running."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import run

if TYPE_CHECKING:
    import pytest

SECONDS = 10


def test_a_job_that_takes_too_long_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOGS", tmp_path)
    command = ["bash", "-c", "sleep 300 & echo $!; wait"]
    outcome = run.run(run.Job(name="hangs", command=command, timeout=0.02))
    number, _, said = outcome.log.read_text(encoding="utf-8").partition("\n")
    assert (outcome.ok, said) == (False, "\nrun: stopped after 0.02 minutes\n")
    assert not run.RUNNING
    until = time.monotonic() + SECONDS
    while is_running(number):  # killed, but the kernel may not have come to it
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(number: str) -> bool:
    """Whether there is such a process, and it is no mere entry that nobody has asked for yet."""
    try:
        return "zombie" not in Path("/proc", number, "status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_jobs_that_mostly_wait_run_beside_those_that_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOGS", tmp_path)
    meet = "touch {name}; until [ -e a -a -e b -a -e c ]; do sleep 0.05; done; touch {name}.done"
    last = "[ -e a.done -a -e b.done -a -e c.done ]"
    commands = {"a": (1, meet), "b": (0.5, meet), "c": (0.5, meet), "all of them and more": (3, last)}
    jobs = [
        run.Job(name=name, command=["bash", "-c", line.format(name=name)], cores=cores, directory=tmp_path, timeout=0.2)
        for name, (cores, line) in commands.items()
    ]
    assert {outcome.job.name: outcome.ok for outcome in run.run_all(jobs, 2)} == dict.fromkeys(commands, True)
