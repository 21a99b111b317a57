"""What the repository's host keeps of activity logs, and what it says when one was cut."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest

PROGRAMS = Path(__file__).parents[3] / "roles/backup/files/usr/local/lib/art32"
KEEP = run_path(str(PROGRAMS / "activity-keep"))
THEN = "2026-11-24T10:00:00+00:00"


def head(number: int, digit: str = "a") -> str:
    return f"{number}:{digit * 64}"


def test_newest_head_of_each_log_is_kept() -> None:
    told = f"platform {head(7)}\nplatform {head(9, 'b')}\nshop {head(2)}\n"
    whole, wrong = KEEP["compared"]({"platform": (THEN, head(7))}, told)
    assert whole == {"platform": head(9, "b"), "shop": head(2)}
    assert wrong == []


@pytest.mark.parametrize(
    "told",
    [f"platform {head(5)}\n", f"platform {head(7, 'c')}\nplatform {head(9, 'b')}\n", ""],
    ids=["cut", "made anew", "gone"],
)
def test_log_that_lost_what_was_kept_is_told_of_and_not_kept(told: str) -> None:
    whole, wrong = KEEP["compared"]({"platform": (THEN, head(7))}, told)
    assert whole == {}
    assert wrong == [f"The activity log of platform was cut or made anew: link 7, kept at {THEN}, is gone."]


@pytest.mark.parametrize("line", ["platform", "platform 7:short", "../platform " + head(7), f"a b {head(7)}"])
def test_what_is_no_head_is_not_kept(line: str) -> None:
    with pytest.raises(ValueError, match="is no head"):
        KEEP["compared"]({}, line)


def test_last_line_of_each_file_counts(tmp_path: Path) -> None:
    (tmp_path / "platform").write_text(f"{THEN} {head(3)}\n{THEN} {head(7)}\n", encoding="utf-8")
    (tmp_path / "shop").write_text("", encoding="utf-8")
    assert KEEP["last_kept"](tmp_path) == {"platform": (THEN, head(7))}
    assert KEEP["last_kept"](tmp_path / "nowhere") == {}
