"""How a host is asked: each line's answer, and nothing that stays behind."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

PROGRAM = Path(__file__).parents[3] / "controls" / "remote" / "collect.py"
SECONDS = 30


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as the host's Python reads it."""
    monkeypatch.setattr(sys, "argv", ["-"])
    spec: Any = importlib.util.spec_from_file_location("collect", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_line_has_its_answer(collect: ModuleType) -> None:
    told = collect.answer({"one": "echo 1", "two": "echo 2 >&2; exit 3"}, SECONDS, 2)
    assert told == {
        "one": {"rc": 0, "stdout": "1\n", "stderr": ""},
        "two": {"rc": 3, "stdout": "", "stderr": "2\n"},
    }


def test_a_line_that_does_not_end_is_ended_with_all_that_it_started(collect: ModuleType, tmp_path: Path) -> None:
    noted = tmp_path / "process"
    told = collect.run(f"sh -c 'echo $$ >{noted}; exec sleep {SECONDS}'; true", 1)
    assert told == {"rc": collect.TIMED_OUT, "stdout": "", "stderr": "no end after 1 s"}
    process, end = Path("/proc") / noted.read_text(encoding="utf-8").strip(), time.monotonic() + SECONDS / 2
    while process.exists():
        assert time.monotonic() < end, f"{process} goes on"
        time.sleep(0.01)
