# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requirements files in which every line has its hashes."""

from __future__ import annotations

__all__ = ["RequirementsError", "blocks", "completed", "pins"]

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RequirementsError(ValueError):
    """A line that pip would refuse, or that would let it install what nobody chose."""


def blocks(text: str) -> dict[str, str]:
    """Each requirement with its hashes, by its normalised name.

    Raises RequirementsError for a line without hashes and for options of pip: what is installed is decided by the
    hashes alone, where it comes from by the host.
    """
    found: dict[str, str] = {}
    for line in _logical_lines(text):
        name = NAME.match(line)
        if not name:
            raise RequirementsError(f"{line.split()[0]}: only requirements may stand here, no options of pip")
        if "--hash=" not in line:
            raise RequirementsError(
                f"{line.split()[0]}: has no hash; lock the file with `uv pip compile --generate-hashes`"
            )
        key = normalised(name.group())
        found[key] = f"{found[key]}\n{line}" if key in found else line
    return found


def completed(text: str, additions: str) -> str:
    """The requirements, and those of the additions whose name they do not have."""
    own = blocks(text)
    return "".join(
        f"{block}\n" for block in [*own.values(), *(b for n, b in blocks(additions).items() if n not in own)]
    )


def pins(text: str, name: str, version: str) -> bool:
    """Whether the requirements hold exactly this version of a package."""
    block = blocks(text).get(normalised(name), "")
    return re.search(rf"==\s*{re.escape(version)}(\s|;|\\|$)", block) is not None


def normalised(name: str) -> str:
    """The form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _logical_lines(text: str) -> list[str]:
    """Lines without comments, continued ones joined."""
    without_comments = re.sub(r"(^|\s)#.*$", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\s*\\\s*\n\s*", " ", without_comments)
    return [line.strip() for line in joined.splitlines() if line.strip()]
