"""Who has an account on a host and may become root, read from getent, the principals files and sudoers."""

from __future__ import annotations

__all__ = ["differences", "members", "principals", "sudoers", "with_password"]

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The watch's account runs one program as root, which runs what is listed: it looks, and becomes nobody.
LOOKS = 'art32-auditor ALL=(root) NOPASSWD: /usr/local/lib/art32/observe ""'
SETTINGS = ("Defaults", "@include", "@includedir", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias")


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
    lines = [line for line in rules.splitlines() if not line.startswith(SETTINGS) and line != LOOKS]
    subjects = {line.split()[0] for line in lines}
    accounts: set[str] = set()
    for subject in subjects:
        accounts |= members(passwd, group, subject[1:]) if subject.startswith("%") else {subject}
    return accounts


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
