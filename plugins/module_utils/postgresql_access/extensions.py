# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which extensions a database has, and which it should have."""

from __future__ import annotations

__all__ = ["Extension", "plan_extensions"]

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from .model import identifier
from .plan import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .plan import Plan


@dataclass(frozen=True, kw_only=True)
class Extension:
    """An extension that a database has: which others it needs, and whether tables hang on it."""

    name: str
    needs: frozenset[str] = frozenset()
    in_use: bool = False

    def __str__(self) -> str:
        """Say it as in a sentence."""
        return f"extension {self.name}"


def plan_extensions(
    plan: Plan, declared: Iterable[str], found: Iterable[Extension], *, where: str, remove: bool
) -> None:
    """Make what is declared; report the rest, or end it where nothing hangs on it.

    What an extension needs comes and stays with it.
    """
    present, wanted = {extension.name: extension for extension in found}, set(declared)
    expected = _with_needs(wanted & present.keys(), present)
    kept = _with_needs(expected | {name for name, extension in present.items() if extension.in_use}, present)
    ended = [present[name] for name in _outermost_first(present) if name not in kept] if remove else []
    plan.undeclared += [f"{present[name]}{where}" for name in sorted(present.keys() - expected - _names(ended))]
    plan.before += [f"{extension}{where}" for extension in ended]
    plan.rights += [
        Change(text=f"no longer: {extension}{where}", statement=f"DROP EXTENSION {identifier(extension.name)}")
        for extension in ended
    ]
    missing = [Extension(name=name) for name in sorted(wanted - present.keys())]
    plan.after += [f"{extension}{where}" for extension in missing]
    plan.rights += [
        Change(
            text=f"now: {extension}{where}",
            # One that an earlier statement brought because it was needed is there by now.
            statement=f"CREATE EXTENSION IF NOT EXISTS {identifier(extension.name)} WITH SCHEMA public CASCADE",
        )
        for extension in missing
    ]


def _with_needs(names: set[str], present: Mapping[str, Extension]) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        needed = present[waiting.pop()].needs & present.keys() - found
        found |= needed
        waiting += needed
    return found


def _outermost_first(present: Mapping[str, Extension]) -> list[str]:
    """Every extension before those it needs."""
    order = TopologicalSorter({name: present[name].needs & present.keys() for name in sorted(present)})
    return list(order.static_order())[::-1]


def _names(extensions: Iterable[Extension]) -> set[str]:
    return {extension.name for extension in extensions}
