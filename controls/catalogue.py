"""The catalogue of controls: read, checked, and asked for one control or all."""

from __future__ import annotations

__all__ = ["CATALOGUE", "ROLES", "CatalogueError", "Control", "load"]

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).with_name("catalogue.yml")
ROLES = Path(__file__).parent.parent / "roles"
KEYS = frozenset({"id", "promise", "why", "mend", "roles", "references", "fresh", "annex"})
LETTERS = frozenset("abcd")  # GDPR Art. 32(1)(a) to (d)
ANNEX_A = {5: 37, 6: 8, 7: 14, 8: 34}  # ISO/IEC 27001:2022, Annex A: controls of each theme


class CatalogueError(ValueError):
    """The catalogue says something that cannot be; the message has a line for each."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """One promise, and where it comes from."""

    id: str
    promise: str
    why: str
    mend: str
    annex: str
    roles: tuple[str, ...]
    article_32: tuple[str, ...]
    iso_27001: tuple[str, ...]
    fresh: timedelta


@cache
def load(path: Path = CATALOGUE) -> dict[str, Control]:
    """Every control by its id, in the order of the file.

    Raises CatalogueError with all that is wrong.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    problems = [f"{_name(entry)}: {problem}" for entry in entries for problem in _problems(entry)]
    names = [_name(entry) for entry in entries]
    problems += [f"{name}: is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if problems:
        raise CatalogueError("\n".join(problems))
    return {entry["id"]: _control(entry) for entry in entries}


def _name(entry: Any) -> str:  # noqa: ANN401 - read from a file
    return str(entry.get("id", "(no id)")) if isinstance(entry, dict) else "(no mapping)"


def _problems(entry: Any) -> list[str]:  # noqa: ANN401 - read from a file
    if not isinstance(entry, dict) or set(entry) != KEYS:
        return [f"has to have exactly the keys {', '.join(sorted(KEYS))}"]
    problems = [
        f"{key} has to be one sentence that ends in a full stop"
        for key in ("promise", "why", "mend", "annex")
        if not str(entry[key]).strip().endswith(".")
    ]
    if not re.fullmatch(r"[A-Z]{2,3}-\d", entry["id"]):
        problems.append("the id has to look like NET-1")
    if not entry["roles"]:
        problems.append("names no role that makes it true")
    if not isinstance(entry["fresh"], int) or entry["fresh"] < 1:
        problems.append("fresh has to be a number of hours, 1 or more")
    return problems + _reference_problems(entry["references"])


def _reference_problems(references: dict[str, list[str]]) -> list[str]:
    letters, numbers = references.get("article_32", []), references.get("iso_27001", [])
    problems = [f"Art. 32(1) has no letter {letter}" for letter in letters if letter not in LETTERS]
    problems += [f"ISO/IEC 27001:2022 Annex A has no control {number}" for number in numbers if not _exists(number)]
    if not letters or not numbers:
        problems.append("needs a letter of Art. 32(1) and a control of ISO/IEC 27001:2022")
    return problems


def _exists(number: str) -> bool:
    theme, _, control = number.partition(".")
    return theme.isdigit() and control.isdigit() and 1 <= int(control) <= ANNEX_A.get(int(theme), 0)


def _control(entry: dict[str, Any]) -> Control:
    return Control(
        id=entry["id"],
        promise=entry["promise"].strip(),
        why=entry["why"].strip(),
        mend=entry["mend"].strip(),
        annex=entry["annex"].strip(),
        roles=tuple(entry["roles"]),
        article_32=tuple(entry["references"]["article_32"]),
        iso_27001=tuple(entry["references"]["iso_27001"]),
        fresh=timedelta(hours=entry["fresh"]),
    )
