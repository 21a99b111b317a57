# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of what a transaction declares, kept on the host for whoever compares later without the declaration.

It is one more file of the transaction: it is installed, and taken back, with the others. No secret can be told from it:
what not everybody on the host may read has a digest (RFC 2104) under a key that never leaves the host.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction.model import MANIFESTS, Directory, File, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request

__all__ = ["path_of", "requested"]

# By which the host alone knows a secret again: 32 random bytes in hexadecimal digits, made when it is missing.
KEY = f"{MANIFESTS}.key"
_IS_KEY = re.compile(rb"[0-9a-f]{64}\n")
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
    key = _key()
    listed = json.dumps(_listed(request, key), indent=1, sort_keys=True) + "\n"
    directory = Directory(path=MANIFESTS, owner="root", group="root", mode=0o700)
    kept = (
        File(path=KEY, content=key, mode=0o600, secret=True),
        File(path=path_of(request.name), content=listed.encode(), mode=0o600),
    )
    return replace(request, directories=(*request.directories, directory), files=(*request.files, *kept))


def _key() -> bytes:
    """The host's key, or one that becomes it with this transaction."""
    try:
        found = Path(KEY).read_bytes()
    except OSError:
        found = b""
    return found if _IS_KEY.fullmatch(found) else os.urandom(32).hex().encode() + b"\n"


def _listed(request: Request, key: bytes) -> dict[str, object]:
    return {
        "name": request.name,
        "files": {entry.path: _attributes(entry) | _content(entry, key) for entry in request.files},
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


def _content(entry: File, key: bytes) -> dict[str, str]:
    """What tells the content: the target of a link, or a digest, under the host's key where it is not for everybody."""
    if entry.link is not None:
        return {"link": entry.link}
    if not entry.secret and entry.mode & _WORLD_READABLE:
        return {"sha256": hashlib.sha256(entry.content).hexdigest()}
    return {"hmac_sha256": hmac.digest(key, entry.content, "sha256").hex()}
