"""Prints what the roles' lists say that they keep on the host they are run on, and what is there instead.

It is read by the host's Python from its command line, so it needs nothing but the standard library. The lists are those
of plugins/module_utils/transaction/manifest.py; of a secret it prints a digest under the host's key, which it keeps.
"""

from __future__ import annotations

import grp
import hmac
import json
import os
import pwd
import re
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

LISTS = "/var/lib/art32/transaction/manifest/*.json"
KEY = "/var/lib/art32/transaction/manifest.key"
PACKAGES = "/var/lib/dpkg/info"
# Where a drop-in can be, besides the packages' own places.
UNIT_PLACES = tuple(f"{top}/systemd/system{kind}" for top in ("/etc", "/run") for kind in ("", ".control"))
SHOWN = "Id,ActiveState,ConditionResult,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload"
UNIT = re.compile(r"/etc/systemd/system/([^/@]+(?:@[^/]+)?\.(?:service|socket|timer))$")


def attributes(path: str) -> dict[str, str] | None:
    """What is at a path: kind, owner, group and mode; None when nothing is."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    kind = "link" if stat.S_ISLNK(found.st_mode) else "directory" if stat.S_ISDIR(found.st_mode) else "file"
    return {
        "kind": kind,
        "owner": name_of(pwd.getpwuid, found.st_uid),
        "group": name_of(grp.getgrgid, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
    }


def paths(*patterns: str) -> list[str]:
    """Everything whose path fits one of these patterns."""
    return sorted({str(path) for pattern in patterns for path in Path("/").glob(pattern[1:])})


def name_of(lookup: object, number: int) -> str:
    """An account's or a group's name, or else its number."""
    try:
        return str(lookup(number)[0])  # type: ignore[operator]
    except KeyError:
        return str(number)


def key() -> bytes:
    """The key of the host's digests, empty when it is lost: then nothing is equal to what the list has."""
    try:
        return Path(KEY).read_bytes()
    except OSError:
        return b""


def file(path: str, listed: dict[str, str]) -> dict[str, str] | None:
    """A file's attributes, and the digest of its content that the list has."""
    found = attributes(path)
    if found is None or found["kind"] == "directory":
        return found
    if found["kind"] == "link":
        return {**found, "link": str(Path(path).readlink())}
    content = Path(path).read_bytes()
    if "sha256" in listed:
        found["sha256"] = sha256(content).hexdigest()
    if "hmac_sha256" in listed:
        found["hmac_sha256"] = hmac.digest(key(), content, "sha256").hex()
    return found


def found(listed: dict[str, dict[str, dict[str, str]]], units: dict[str, dict[str, str]]) -> dict[str, object]:
    """What is there of all that a list has."""
    files = listed["files"]
    present = set(paths(*listed["owns"]))
    return {
        "files": {path: file(path, entry) for path, entry in files.items()},
        "directories": {path: attributes(path) for path in listed["directories"]},
        "absent": [path for path in listed["absent"] if os.path.lexists(path)],
        "strangers": sorted(present - files.keys()),
        "units": {name: units.get(name, {}) for name in unit_names(listed)},
        "drop_ins": drop_ins(listed),
        "packages": [
            name for name in listed["packages"] if not paths(f"{PACKAGES}/{name}.list", f"{PACKAGES}/{name}:*.list")
        ],
    }


def unit_names(listed: dict[str, dict[str, dict[str, str]]]) -> list[str]:
    """The units that a list names, and those whose files it has; what is only a template for others is none."""
    named = [*listed["units"], *(match[1] for match in map(UNIT.match, listed["files"]) if match)]
    return sorted({name for name in named if "@." not in name})


def drop_ins(listed: dict[str, dict[str, dict[str, str]]]) -> list[str]:
    """Files that change what a list's units are, templates among them, and that the list does not have."""
    names = {Path(path).name for path in listed["files"] if path.startswith("/etc/systemd/system/")}
    names |= set(listed["units"])
    templates = {re.sub(r"@[^.]+", "@", name) for name in names}
    places = [f"{place}/{name}.d/*.conf" for place in UNIT_PLACES for name in sorted(names | templates)]
    return sorted(set(paths(*places)) - listed["files"].keys())


def states(names: list[str]) -> dict[str, dict[str, str]]:
    """What systemd says of units, by their names."""
    if not names:
        return {}
    command = ["systemctl", "show", f"--property={SHOWN}", "--", *names]
    blocks = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("\n\n")
    told = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return dict(zip(names, told, strict=True))


def main() -> None:
    """Print every list with what was found of it."""
    lists = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths(LISTS)]
    units = states(sorted({name for listed in lists for name in unit_names(listed)}))
    json.dump([{"declared": listed, "found": found(listed, units)} for listed in lists], sys.stdout, indent=1)


main()
