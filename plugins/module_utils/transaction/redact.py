# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep secrets out of messages: tools like to quote the line they stumble over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request

__all__ = ["redact"]

_WORDS = re.compile(r"[^\s=:;,\"'(){}\[\]]+")
_SHORTEST = 8


def redact(text: str, request: Request) -> str:
    """Replace every longer word of a secret file in a text."""
    contents = [entry.content.decode("utf-8", "replace") for entry in request.files if entry.secret]
    words = {word for content in contents for word in _WORDS.findall(content) if len(word) >= _SHORTEST}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "********")
    return text
