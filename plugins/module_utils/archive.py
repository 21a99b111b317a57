# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs on a host that are made of the modules' own code."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = ["archive"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(package: str, parts: Iterable[ModuleType], *, main: str) -> bytes:
    """Make one file of the parts that Python runs as it is; not compressed, so that people can read it.

    `main` is the part whose `start` is called. The parts import each other relatively, and Python's own library.

    Raises LookupError when the source of a part is not at hand.
    """
    sources = {"__main__.py": f"from {package}.{main} import start\n\nstart()\n", f"{package}/__init__.py": ""}
    sources |= {f"{package}/{part.__name__.rpartition('.')[2]}.py": _source(part) for part in parts}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in sources.items():
            bundle.writestr(zipfile.ZipInfo(name, _EPOCH), text)
    return b"#!/usr/bin/python3 -I\n" + buffer.getvalue()


def _source(part: ModuleType) -> str:
    """Read a module's own text, from a directory or from the archive that Ansible sent."""
    source = getattr(part.__loader__, "get_source", lambda _: None)(part.__name__)
    if source is None:
        raise LookupError(f"The source of {part.__name__} is not at hand")
    return cast("str", source)
