"""What acts as root on a host, or lets somebody become root, beside what its packages and the roles laid down."""

from __future__ import annotations

__all__ = ["undeclared", "unseen"]

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Groups whose members can make themselves root or read what is root's, and those that packages put there.
POWERFUL: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("root", "shadow", "disk", "kmem", "docker", "lxd", "incus", "incus-admin"), frozenset({"root"})),
    **dict.fromkeys(("libvirt", "libvirt-qemu", "wheel", "staff"), frozenset({"root"})),
    # Those who read logs, keys, and the backups.
    **dict.fromkeys(("adm", "systemd-journal"), frozenset({"root"})),
    **dict.fromkeys(("postgres", "pgbackrest"), frozenset({"postgres", "pgbackrest"})),
    "art32-archive": frozenset({"pgbackrest"}),
    "ssl-cert": frozenset({"root", "postgres"}),
}
# Variables with which whoever sets them runs a program of theirs in everybody's session.
LOADING = ("LD_*", "BASH_ENV", "ENV", "PYTHON*", "PERL*", "GCONV_PATH", "NODE_OPTIONS", "RUBYOPT")
READS_NOBODY = ("/etc/shadow", "/etc/gshadow")
GROUPS_OF_ROOT = ("root", "shadow", "staff")
OTHERS_WRITE, OTHERS_READ, GROUP_WRITES = 0o002, 0o004, 0o020
# What ends each stack in which nothing said yes.
STACKS, DENYING = ("auth", "account", "password", "session"), "requisite pam_deny.so"
# What pam-auth-update begins a stack with in which no profile decides.
UNDECIDED = "session [default=1] pam_permit.so"


def unseen(
    told: str, accounts: str, groups: str, known: Iterable[str] = (), first_user: str | None = None
) -> list[str]:
    """Ways to become root that no list of people shows, from what controls/remote/root.py and getent printed.

    `known` are patterns of the programs that may have their owner's rights, or some of the kernel's. A provider's image
    has its first user read the logs; nobody gets in as that user any more.
    """
    found = json.loads(told)
    problems = [*_accounts(accounts), *_members(accounts, groups, first_user)]
    problems += [f"others than root can change {path}" for path, entry in found["guarded"].items() if _is_open(entry)]
    problems += [
        f"anybody can read {path}"
        for path in READS_NOBODY
        if int(found["guarded"].get(path, {"mode": "0"})["mode"], 8) & OTHERS_READ
    ]
    problems += found.get("managers", [])
    problems += [f"{path} is loaded into every program (/etc/ld.so.preload)" for path in found["preloaded"]]
    problems += [f"{name} is set for every session" for name in found["variables"] if _fits(name, LOADING)]
    problems += [
        f"{path} runs with rights of its own ({entry['rights']}, {entry['mode']}, {entry['owner']}:{entry['group']})"
        for path, entry in found["privileged"].items()
        if entry["package"] == "no" or not _fits(path, known)
    ]
    return [*problems, *_pam(found["pam"], found["profiles"])]


def undeclared(told: str, manifests: str, known: Iterable[str] = ()) -> list[str]:
    """Files that say what root does, and that neither a package nor a role laid down.

    `known` are patterns of files that something else made, or that another check looks at. What a role's own places
    hold besides, what may not be there, and what changes its units, is that role's matter, and told there.
    """
    found = json.loads(told)
    strangers = found["strangers"]
    ours, drop_ins = set[str](), set[str]()
    known_files = list(known)
    patterns = [*known_files]
    for entry in json.loads(manifests):
        declared: dict[str, Any] = entry["declared"]
        ours |= declared["files"].keys()
        drop_ins |= set(entry["found"]["drop_ins"])
        patterns += [*declared["owns"], *declared["absent"]]
        patterns += [f"/etc/systemd/system/{name}" for name in declared["units"]]
    left = {path: what for path, what in strangers.items() if path not in ours | drop_ins and not _fits(path, patterns)}
    leading = "leads to "
    believed = [
        f"apt believes {who}: {line}" for line, who in found.get("believed", {}).items() if not _fits(who, known_files)
    ]
    return believed + [
        f"{path} {what}"
        for path, what in left.items()
        # What starts a unit is as good as the unit.
        if not what.startswith(leading) or _is_foreign(what.removeprefix(leading), ours, patterns)
    ]


def _is_foreign(path: str, ours: set[str], patterns: Iterable[str]) -> bool:
    return path not in ours and not _fits(path, patterns)


def _accounts(accounts: str) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for line in accounts.splitlines():
        fields = line.split(":")
        names.setdefault(fields[2], []).append(fields[0])
    yield from (f"{' and '.join(sharing)} are one account" for sharing in names.values() if len(sharing) > 1)
    yield from (f"{name} is root by another name" for name in names.get("0", []) if name != "root")


def _members(accounts: str, groups: str, first_user: str | None) -> Iterator[str]:
    first = [line.split(":") for line in accounts.splitlines()]
    for line in groups.splitlines():
        group, _, number, listed = line.split(":")
        members = {name for name in listed.split(",") if name} | {entry[0] for entry in first if entry[3] == number}
        members -= {first_user} if group == "adm" else set()
        for name in sorted(members - POWERFUL.get(group, members) - {group}):
            yield f"{name} is in the group {group}"


def _is_open(entry: Mapping[str, str]) -> bool:
    mode = int(entry["mode"], 8)
    by_group = mode & GROUP_WRITES and entry["group"] not in GROUPS_OF_ROOT
    return bool(mode & OTHERS_WRITE or by_group or entry["owner"] != "root")


def _pam(lines: Sequence[str], profiles: Iterable[str]) -> Iterator[str]:
    """Lines that every login goes through, and that no profile of a package has."""
    declared = {_plain(line) for line in profiles}
    for line in sorted({" ".join(line.split()) for line in lines}):
        if _plain(line.partition(" ")[2]) not in declared and line != UNDECIDED:
            yield f"PAM asks a stranger at each login: {line}"
    stacks = {" ".join(line.split()) for line in lines}
    yield from (f"PAM lets in whom nothing lets in: {kind}" for kind in STACKS if f"{kind} {DENYING}" not in stacks)


def _plain(line: str) -> str:
    # How many lines are passed over on success is pam-auth-update's.
    return re.sub(r"\bsuccess=(end|\d+)", "success=", " ".join(line.split()))


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
