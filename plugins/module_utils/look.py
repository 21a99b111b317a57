# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a look at one task's declaration finds, before anything is changed."""

from __future__ import annotations

__all__ = ["Look"]

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Look:
    """What differs from the declaration, and what is worth a warning besides; a sentence each."""

    differences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
