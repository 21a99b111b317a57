# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sheet of paper with the secrets without which everything else is lost."""

from __future__ import annotations

__all__ = ["SheetError", "retyped", "sheet"]

import hashlib
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

BLOCK = 4
BLOCKS = 8
CHECK = 3
WIDTH = 76


class SheetError(ValueError):
    """A line of a sheet was not typed as it is printed; the message names it."""


def sheet(environment: str, day: date, secrets: Mapping[str, tuple[str, str]]) -> str:
    """One page to print: each secret (name to what it is for and its value) in blocks, each line with a check."""
    lines = [
        f"ESCROW SHEET of the environment {environment}, {day.isoformat()}",
        "",
        *textwrap.wrap(
            "Print this page, keep it where fire and thieves do not reach the controller, and delete the file. "
            "Blanks do not count; the last three signs of each line are a check of that line.",
            WIDTH,
        ),
    ]
    for name, (purpose, value) in secrets.items():
        lines += ["", name, *textwrap.wrap(purpose, WIDTH, initial_indent="  ", subsequent_indent="  "), ""]
        lines += [f"    {line}" for line in in_blocks(value)]
    lines += ["", "Taken out by: ______________________  on: ______________  seal: ______________"]
    return "\n".join(lines) + "\n"


def in_blocks(value: str) -> list[str]:
    """A secret for the eye: lines of blocks, each with a check at its end."""
    size = BLOCK * BLOCKS
    parts = [value[at : at + size] for at in range(0, len(value), size)]
    return [
        f"{' '.join(part[at : at + BLOCK] for at in range(0, len(part), BLOCK))}  {_check(number, part)}"
        for number, part in enumerate(parts)
    ]


def retyped(lines: Iterable[str]) -> str:
    """The secret of a sheet's lines.

    Raises SheetError when a line's check does not match.
    """
    parts = []
    for number, line in enumerate(line for line in lines if line.strip()):
        signs = "".join(line.split())
        part, check = signs[:-CHECK], signs[-CHECK:]
        if check != _check(number, part):
            raise SheetError(f"line {number + 1}: {line.strip()} is not what is printed; its check does not match")
        parts.append(part)
    return "".join(parts)


def _check(number: int, part: str) -> str:
    return hashlib.sha256(f"{number}:{part}".encode()).hexdigest()[:CHECK]
