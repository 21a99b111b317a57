"""Numbers with the things that they count, for what people read."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: float, thing: str) -> str:
    """`1 contact`, `2 contacts`, `0.5 days`."""
    return f"{number:.10g} {thing}{'' if number == 1 else 's'}"
