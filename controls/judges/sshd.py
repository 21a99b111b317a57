"""What an SSH server accepts, read from `sshd -T`, its log and what it told a client."""

from __future__ import annotations

__all__ = ["accepted", "effective", "offered", "refusal", "weaknesses"]

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Everything but a certificate that could open the door (sshd_config(5)).
REQUIRED: Mapping[str, frozenset[str]] = {
    "pubkeyauthentication": frozenset({"yes"}),
    "passwordauthentication": frozenset({"no"}),
    "kbdinteractiveauthentication": frozenset({"no"}),
    "permitemptypasswords": frozenset({"no"}),
    "hostbasedauthentication": frozenset({"no"}),
    "gssapiauthentication": frozenset({"no"}),
    "kerberosauthentication": frozenset({"no"}),
    "authorizedkeysfile": frozenset({"none"}),
    "authorizedkeyscommand": frozenset({"none"}),
    "authorizedprincipalscommand": frozenset({"none"}),
    "permitrootlogin": frozenset({"no"}),
}
GIVEN = ("trustedusercakeys", "authorizedprincipalsfile")


def effective(text: str) -> dict[str, str]:
    """The settings of `sshd -T` by name; of one that is there several times, all values."""
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        settings.setdefault(name, []).append(value)
    return {name: " ".join(values) for name, values in settings.items()}


def weaknesses(settings: Mapping[str, str]) -> list[str]:
    """Each setting that lets in something else than a certificate; one that is not printed is not built in."""
    open_doors = [
        f"{name} is {settings[name]}"
        for name, allowed in REQUIRED.items()
        if name in settings and settings[name] not in allowed
    ]
    return open_doors + [f"{name} is not set" for name in GIVEN if settings.get(name, "none") == "none"]


def accepted(log: str) -> tuple[str, str] | None:
    """The person and the authority's fingerprint of the certificate that a log line accepted."""
    found = re.search(r"Accepted publickey for \S+ .*-CERT \S+ ID (\S+).* CA \S+ (SHA256:\S+)", log)
    return (found[1], found[2]) if found else None


def refusal(log: str, fingerprint: str) -> str:
    """The newest line of sshd's log that refuses a key, without time and host; empty when there is none."""
    lines = [line for line in log.splitlines() if fingerprint in line and "Failed publickey" in line]
    return lines[-1].partition("]: ")[2] if lines else ""


def offered(message: str) -> set[str]:
    """The ways to log in that a server named in `Permission denied (publickey,password).`, if it refused."""
    found = re.search(r"Permission denied \(([\w,-]+)\)", message)
    return set(found[1].split(",")) if found else set()
