# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines of a known_hosts file that let clients trust the certificates of a host."""

from __future__ import annotations

__all__ = ["authority_lines", "with_authorities", "without_host"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

MARKER = "@cert-authority"


def authority_lines(names: Sequence[str], authorities: Iterable[str]) -> list[str]:
    """A line for each authority that may have signed the certificate of a host with these names and addresses."""
    return [f"{MARKER} {','.join(names)} {' '.join(line.split()[:2])}" for line in authorities]


def with_authorities(text: str, names: Sequence[str], authorities: Iterable[str]) -> str:
    """The file's text with exactly these authorities for the host, whose own name is the last of `names`."""
    wanted = authority_lines(names, authorities)
    found = text.splitlines()
    ours = [line for line in found if _is_of(line, names[-1])]
    if ours == wanted:
        return text
    return "".join(f"{line}\n" for line in [*(line for line in found if line not in ours), *wanted])


def without_host(text: str, names: Collection[str]) -> str:
    """The file's text without any line of a host with these names and addresses: its keys, and who vouched for them."""
    known = {*names, *(f"[{name}]" for name in names)}
    return "".join(f"{line}\n" for line in text.splitlines() if not _names_of(line) & known)


def _names_of(line: str) -> set[str]:
    """A line's names, those with a port of their own without it."""
    words = line.split()
    names = words[1:2] if words[:1] and words[0].startswith("@") else words[:1]
    return {name.partition("]:")[0] + "]" if name.startswith("[") else name for name in ",".join(names).split(",")}


def _is_of(line: str, name: str) -> bool:
    words = line.split()
    return words[:1] == [MARKER] and len(words) > 1 and words[1].split(",")[-1] == name
