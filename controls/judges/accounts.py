"""Who has an account on a host and may become root, read from getent, the principals files and sudoers."""

from __future__ import annotations

__all__ = ["differences", "members", "principals", "sudoers", "with_password"]

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The watch's account runs one program as root, which runs what is listed: it looks, and becomes nobody.
LOOKS = 'art32-auditor ALL=(root) NOPASSWD: /usr/local/lib/art32/observe ""'
SETTINGS = ("Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias")
INCLUDING = ("@include", "#include")
# The one folder that sudo reads besides its file, as Debian has it.
FOLDER = re.compile(r"[@#]includedir\s+/etc/sudoers\.d$")


def members(passwd: str, group: str, name: str) -> set[str]:
    """The accounts in a group, by list or as their first group; empty when there is no such group."""
    fields = next((line.split(":") for line in group.splitlines() if line.startswith(f"{name}:")), None)
    if fields is None:
        return set()
    accounts = [line.split(":") for line in passwd.splitlines()]
    first = {account[0] for account in accounts if account[3] == fields[2]}
    return first | {account for account in fields[3].split(",") if account}


def principals(found: str) -> dict[str, set[str]]:
    """The principals of each account, from `grep -H .` over the directory of their files."""
    listed: dict[str, set[str]] = {}
    for line in found.splitlines():
        account, _, principal = line.partition(":")
        if not principal.startswith("#"):
            listed.setdefault(account, set()).add(principal.strip())
    return listed


def sudoers(rules: str, passwd: str, group: str) -> set[str]:
    """Every account that some line of sudoers is for, groups resolved; not for the watch's own line, to the letter."""
    lines = [line for line in map(str.strip, rules.splitlines()) if not line.startswith(SETTINGS) and line != LOOKS]
    accounts: set[str] = set()
    for line in lines:
        if line.startswith(INCLUDING):
            accounts |= set() if FOLDER.match(line) else {f"whoever {line.split()[-1]} names"}
        elif line.startswith("#") and not line[1:2].isdigit():
            continue  # a remark
        else:
            for subject in re.split(r",\s*", re.sub(r"\s*,\s*", ",", line).split()[0]):
                accounts |= _subject(subject, passwd, group)
    return accounts


def _subject(subject: str, passwd: str, group: str) -> set[str]:
    """The accounts that a line is for: a name, a number, a group's name or number."""
    if subject.startswith("%"):
        number = subject[2:] if subject.startswith("%#") else ""
        names = [line.split(":")[0] for line in group.splitlines() if number and line.split(":")[2] == number]
        return members(passwd, group, names[0] if names else subject[1:])
    if subject.startswith("#"):
        owners = {line.split(":")[0] for line in passwd.splitlines() if line.split(":")[2] == subject[1:]}
        return owners or {subject}
    return {subject}


def with_password(states: str) -> list[str]:
    """Accounts whose password is set, or empty."""
    return [line.split()[0] for line in states.splitlines() if line.split()[-1] != "locked"]


def differences(found: Mapping[str, set[str]], wanted: Mapping[str, set[str]]) -> list[str]:
    """What is there beyond what is wanted, and what is missing."""
    extra = [
        f"{who} gets in as {account}"
        for account, names in sorted(found.items())
        for who in sorted(names - wanted.get(account, set()))
    ]
    return extra + [
        f"{who} does not get in as {account}"
        for account, names in sorted(wanted.items())
        for who in sorted(names - found.get(account, set()))
    ]
