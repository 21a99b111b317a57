"""What a page shows of a command is what the command said: a test compares, and with ART32_PAGES=write it writes.

A block of a page begins with its command; under it stands what was said, whatever differs from run to run replaced:

    ```console
    $ ansible-playbook -i inventories/production playbooks/cloud.yml --check
    TASK [Tell the plan] *****
    ...
    ```
"""

from __future__ import annotations

__all__ = ["ROOT", "check_page", "message_of", "task_of"]

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
STARS = "*" * 40
# AWS's names of things and the time of a record.
VARYING = {
    r"\b(vol|snap|i|sg|rtb|igw|subnet|vpc)-[0-9a-f]{8,17}\b": r"\1-0a4c7c8f3d1b2e6a9",
    r"\baddress 127\.\d+\.\d+\.\d+": "address 203.0.113.10",
    r"\b\d{8}T\d{6}Z\b": "20261130T170000Z",
    r"\*{3,}": STARS,
    r" +$": "",
}


def check_page(page: str, command: str, said: str, replaced: Mapping[str, str] | None = None) -> None:
    """Compare a block with what was said, or write it. `replaced`: patterns of this test's own, and what is shown.

    Raises AssertionError when the page has no such block, or shows something else.
    """
    path = ROOT / "docs" / page
    text = path.read_text(encoding="utf-8")
    shape = rf"^\$ {re.escape(command)}\n(?P<said>.*?)(?=^(\$ |```))"
    block = re.search(shape, text, re.DOTALL | re.MULTILINE)
    assert block, f"docs/{page} shows nothing of: {command}"
    shown = said.rstrip() + "\n"
    for pattern, instead in {**(replaced or {}), **VARYING}.items():
        shown = re.sub(pattern, instead, shown, flags=re.MULTILINE)
    if os.environ.get("ART32_PAGES") == "write":
        path.write_text(text[: block.start("said")] + shown + text[block.end("said") :], encoding="utf-8")
        return
    # Where a line breaks depends on the terminal, and on how long a test's own path is.
    same = block["said"].split() == shown.split()
    assert same, f"docs/{page}: {command} says something else; ART32_PAGES=write writes it\n{shown}"


def task_of(said: str, *names: str) -> str:
    """What a playbook said of some of its tasks, in the order of the names."""
    found = [
        re.search(rf"^TASK \[{re.escape(name)}\] \*+\n.*?(?=\n\n|\Z)", said, re.DOTALL | re.MULTILINE) for name in names
    ]
    assert all(found), f"no task {' or '.join(names)} in:\n{said}"
    # A long text is continued on further lines; where, its length decides, which differs from run to run.
    return "\n".join(re.sub(r"\n {8,}(?=\S)", " ", match[0]) for match in found if match)


def message_of(said: str) -> str:
    """How a playbook said why it failed."""
    found = re.search(r"^\[ERROR\]: .*?(?=\nOrigin:|\n\n)", said, re.DOTALL | re.MULTILINE)
    assert found, f"nothing failed in:\n{said}"
    return found[0]
