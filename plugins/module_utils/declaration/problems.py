# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with a declaration: every problem in one sentence, all of them at once."""

from __future__ import annotations

__all__ = ["DeclarationError", "Problem", "nearest"]

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_SHOWN = 120
HIDDEN = "the value (hidden)"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A value that cannot stand: where it is, what it is, and what is allowed there."""

    variable: str
    allowed: str
    value: Any = None
    kind: Literal["impossible", "missing", "unknown"] = "impossible"
    secret: bool = False

    def __str__(self) -> str:
        """One line for the operator."""
        if self.kind != "impossible":
            return f"{self.variable}: {self.kind}; {self.allowed}"
        shown = HIDDEN if self.secret else shorten(self.value)
        return f"{self.variable}: {shown} is not allowed; {self.allowed}"


class DeclarationError(ValueError):
    """One or more values are impossible; the message has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems for callers that collect them."""
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shorten(value: Any) -> str:  # noqa: ANN401 - a declaration may hold anything
    """Show a value on one line, as it is written in YAML's flow style."""
    if isinstance(value, str):
        text = value if value and value == value.strip() and "\n" not in value else json.dumps(value)
    else:
        text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that the operator most probably meant, if there is one."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None
