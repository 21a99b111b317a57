"""Whether what the roles keep on a host is as it was declared to it."""

from __future__ import annotations

__all__ = ["noted", "problems"]

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .units import OURS, PACKAGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNS = ("active", "activating", "reloading")
GENERATED = "/run/systemd/generator"
# Which addresses a service may reach follows their names: control PUR-1 compares them with the declaration.
ADDRESSES = "/50-IPAddressAllow.conf"
ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


def noted(told: str) -> set[str]:
    """The roles that have noted what they keep, from what controls/remote/manifests.py printed."""
    return {entry["declared"]["name"] for entry in json.loads(told)}


def problems(told: str, role: str, *, only: Sequence[str] = ("*",), without: Sequence[str] = ()) -> list[str] | None:
    """What is wrong with the things that a role keeps, from what controls/remote/manifests.py printed.

    `only` and `without` are patterns of paths, and of names of units and packages, that are looked at, or not. None
    when the role noted nothing.
    """
    listed = next((entry for entry in json.loads(told) if entry["declared"]["name"] == role), None)
    if listed is None:
        return None
    found = [*_things(listed["declared"], listed["found"]), *_units(listed["declared"], listed["found"])]
    return [f"{subject} {what}" for subject, what in found if _is_meant(subject, only, without)]


def _is_meant(subject: str, only: Sequence[str], without: Sequence[str]) -> bool:
    return any(fnmatchcase(subject, one) for one in only) and not any(fnmatchcase(subject, one) for one in without)


def _things(declared: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in ("directories", "files"):
        for path, wanted in declared[kind].items():
            yield from ((path, what) for what in _differences(wanted, found[kind][path], kind))
    yield from ((path, "is there, which may not be") for path in found["absent"])
    yield from ((path, "is there, which nobody declared") for path in found["strangers"])
    yield from ((name, "is not installed") for name in found["packages"])


def _differences(wanted: Mapping[str, str], there: Mapping[str, str] | None, kind: str) -> list[str]:
    if there is None:
        return ["is missing"]
    if kind == "files" and ("link" in wanted) != (there["kind"] == "link"):
        return ["is something else than what is declared"]
    other = []
    if any(wanted[name] != there.get(name) for name in ("link", "sha256", "hmac_sha256") if name in wanted):
        other.append("is not what was declared")
    if there["kind"] == "link":  # whose mode is nothing
        return other
    owned = [
        f"{name} {there[name]}, not {wanted[name]}"
        for name in ("owner", "group", "mode")
        if wanted[name] != there[name]
    ]
    return other + ([f"has another owner or mode ({', '.join(owned)})"] if owned else [])


def _units(declared: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    strangers = [path for path in found["drop_ins"] if not path.endswith(ADDRESSES)]
    yield from ((path, "changes a unit, which nobody declared") for path in strangers)
    for name, shown in found["units"].items():
        state = declared["units"].get(name, {})
        is_masked = shown["UnitFileState"] == "masked"
        if state.get("masked") is True and not is_masked:
            yield name, "is not masked"
        if state.get("masked") is True:
            continue
        if state.get("enabled") is True and shown["UnitFileState"] not in ENABLED:
            yield name, "is not started at boot"
        if state.get("enabled") is False and shown["UnitFileState"] in ENABLED[:2]:
            yield name, "is started at boot"
        # In a container systemd itself leaves some units out.
        if state.get("state") == "started" and shown["ActiveState"] not in RUNS and shown["ConditionResult"] != "no":
            yield name, "is not running"
        if state.get("state") == "stopped" and shown["ActiveState"] in RUNS:
            yield name, "is running"
        yield from ((name, what) for what in _sources(name, shown, declared["files"]))


def _sources(name: str, shown: Mapping[str, str], laid: Mapping[str, Any]) -> Iterator[str]:
    """Where a unit is read from that is neither its package's place nor a file of the role."""
    source = shown["FragmentPath"]
    if source and source not in laid and not source.startswith((*PACKAGED, GENERATED, f"{OURS}art32-")):
        yield f"comes from {source}"
    strangers = [path for path in shown["DropInPaths"].split() if path not in laid and not path.endswith(ADDRESSES)]
    strangers = [path for path in strangers if not path.startswith((*PACKAGED, GENERATED))]
    if strangers:
        yield f"is changed by {', '.join(strangers)}"
    if shown["NeedDaemonReload"] == "yes":
        yield "has files that systemd has not read"
