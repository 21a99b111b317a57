# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of what a transaction declares, kept on the host for whoever compares later without the declaration.

It is one more file of the transaction: it is installed, and taken back, with the others. No secret can be told from it:
lines that look like one are left out of a file's digest, and a file that is nothing but a secret has none.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction.model import MANIFESTS, Directory, File, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request

__all__ = ["path_of", "requested"]

# A line with such a word in it may have the secret beside it.
HIDDEN = r"(?i)pass|secret|token|key"
_WORLD_READABLE = 0o004


def path_of(name: str) -> str:
    """Where the list of a transaction lies."""
    return f"{MANIFESTS}/{name}.json"


def requested(parameters: Mapping[str, Any]) -> Request:
    """Build the request from the module's parameters, where it is asked for with the list among its files.

    Raises TransactionError when something declared cannot be meant.
    """
    request = parse(parameters)
    return _with_manifest(request) if parameters["manifest"] else request


def _with_manifest(request: Request) -> Request:
    path = path_of(request.name)
    listed = json.dumps(_listed(request), indent=1, sort_keys=True) + "\n"
    directory = Directory(path=MANIFESTS, owner="root", group="root", mode=0o700)
    kept = File(path=path, content=listed.encode(), mode=0o600)
    return replace(request, directories=(*request.directories, directory), files=(*request.files, kept))


def _listed(request: Request) -> dict[str, object]:
    return {
        "name": request.name,
        "hidden": HIDDEN,
        "files": {entry.path: _attributes(entry) | _content(entry) for entry in request.files},
        "directories": {entry.path: _attributes(entry) for entry in request.directories},
        "absent": list(request.absent),
        "owns": [] if request.keep_shipped else list(request.owns),
        "units": {
            unit.name: {"state": unit.state, "enabled": unit.enabled, "masked": unit.masked} for unit in request.units
        },
        "packages": sorted(request.packages),
    }


def _attributes(entry: File | Directory) -> dict[str, str]:
    return {"owner": entry.owner, "group": entry.group, "mode": f"{entry.mode:04o}"}


def _content(entry: File) -> dict[str, str]:
    """What tells the content: the target of a link, or a digest where one gives nothing away."""
    if entry.link is not None:
        return {"link": entry.link}
    if not entry.secret and entry.mode & _WORLD_READABLE:
        return {"sha256": hashlib.sha256(entry.content).hexdigest()}
    lines = entry.content.splitlines(keepends=True)
    shown = [line for line in lines if not re.search(HIDDEN.encode(), line)]
    if entry.secret and len(shown) == len(lines):  # which line is the secret cannot be told
        return {}
    return {"sha256_shown": hashlib.sha256(b"".join(shown)).hexdigest()}
