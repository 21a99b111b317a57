"""What runs all tests leaves nothing running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests import run

if TYPE_CHECKING:
    import pytest


def test_a_job_that_takes_too_long_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOGS", tmp_path)
    command = ["bash", "-c", "sleep 300 & echo $!; wait"]
    outcome = run.run(run.Job(name="hangs", command=command, timeout=0.02))
    number, _, said = outcome.log.read_text(encoding="utf-8").partition("\n")
    assert (outcome.ok, said) == (False, "\nrun: stopped after 0.02 minutes\n")
    status = Path("/proc", number, "status")
    assert not status.exists() or "zombie" in status.read_text(encoding="utf-8")
    assert not run.RUNNING
