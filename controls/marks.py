"""What a check says about itself, and how it says that it cannot be made."""

from __future__ import annotations

__all__ = ["KINDS", "Kind", "control", "not_assessed"]

from typing import Literal, NoReturn, get_args

import pytest

from .catalogue import CatalogueError, load
from .evidence import NotAssessedError

Kind = Literal["observe", "scan", "exercise"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def control(identifier: str, *, kind: Kind = "observe") -> pytest.MarkDecorator:
    """Mark a test as a check of one control; a check of several controls is marked several times.

    `observe` leaves nothing on the host but log lines, `scan` runs other people's scanners, which take minutes and
    write logs of their own; `exercise` writes.

    Raises CatalogueError when there is no such control.
    """
    if identifier not in load():
        raise CatalogueError(f"A check names control {identifier}, which the catalogue does not have.")
    return pytest.mark.control(identifier, kind=kind)


def not_assessed(reason: str) -> NoReturn:
    """End a check that cannot be made here; it is reported with this reason and never counts as met."""
    raise NotAssessedError(reason)
