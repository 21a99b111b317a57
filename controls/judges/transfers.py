"""How what leaves a host travels: mail, from `openssl s_client -brief`; backups, from `ssh -G` and `ssh -v`."""

from __future__ import annotations

__all__ = ["CURRENT", "agreed", "backup_problems", "database_problems", "is_met", "relay_problems"]

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CURRENT = ("TLSv1.2", "TLSv1.3")
NO_RELAY = "no relay"
# What is said when nobody was met of whom anything could be said.
SILENT = ("connect:errno", "BIO_lookup_ex", "BIO_connect", "onnect to host", "ould not resolve")


def is_met(told: str) -> bool:
    """Whether somebody answered; else nothing is known of the way to him."""
    return not any(word in told for word in SILENT)


def agreed(said: str) -> str:
    """The protocol that `openssl s_client -brief` agreed on; empty when it did not."""
    found = re.search(r"(?m)^Protocol version: (\S+)$", said)
    return found[1] if found else ""


def relay_problems(told: str) -> list[str]:
    """What is wrong with the way of mail to the relay; nothing where no mail leaves."""
    first, _, said = told.partition("\n")
    if first == NO_RELAY:
        return []
    _, relay, way = first.split()
    if way == "plain":
        return [f"mail goes to {relay} in the clear (base_mail_plain)"]
    version = agreed(said)
    if not version:
        return [f"{relay} is not the relay that it should be, or has no TLS: {_reason(said)}"]
    problems = [] if version in CURRENT else [f"{relay} agrees on {version}"]
    if "Verification: OK" not in said.splitlines():
        problems.append(f"nobody vouches for {relay}")
    return problems


def database_problems(settings: Mapping[str, str], rules: list[Mapping[str, Any]]) -> list[str]:
    """What lets somebody talk to the database over the network without TLS, or with an old one."""
    problems = [] if settings["ssl"] == "on" else ["ssl is off"]
    least = settings.get("ssl_min_protocol_version", "not told")
    if least not in CURRENT:
        problems.append(f"ssl_min_protocol_version is {least or 'empty'}")
    return problems + [
        f"line {rule['line']} of pg_hba.conf lets in by {rule['type']}"
        for rule in rules
        if rule["type"] not in ("local", "hostssl") and rule["method"] != "reject"
    ]


def backup_problems(told: str) -> list[str]:
    """What is wrong with the way of backups to the other side: another than ssh, an unknown host, no certificate."""
    kinds = re.findall(r"(?m)^((?:pg|repo)\d+-(?:host-type|type))=(\S+)", told)
    problems = [f"{name} is {kind}" for name, kind in kinds if kind not in ("ssh", "posix")]
    settings = dict(re.findall(r"(?m)^([a-z]+) (.*)$", told))
    if settings.get("stricthostkeychecking") not in ("yes", "true"):
        problems.append("an unknown host would be believed (StrictHostKeyChecking)")
    if "known and matches" not in told:
        problems.append(f"the other side is not the host that is known: {_reason(told)}")
    elif "Authenticated to" not in told:
        problems.append(f"there is no login: {_reason(told)}")
    elif not re.search(r"accepts key: .*-CERT ", told):
        problems.append("the login is without a certificate")
    ciphers = set(re.findall(r"cipher: (\S+)", told))
    return problems + ["nothing is encrypted"] * (not ciphers or "none" in ciphers)


def _reason(said: str) -> str:
    """The last words of a program that was refused."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|failed|denied|STARTTLS", line)]
    return (telling or lines or ["it said nothing"])[0]
