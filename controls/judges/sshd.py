"""What an SSH server accepts, read from `sshd -T`, its log and what it told a client."""

from __future__ import annotations

__all__ = ["accepted", "certificate_problems", "effective", "offered", "refusal", "running_problems", "weaknesses"]

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
REFUSALS = ("Failed publickey", "not in PubkeyAcceptedAlgorithms")
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


def running_problems(told: str) -> list[str]:
    """Why the running server may have other settings than `sshd -T` prints; empty when it has read its file."""
    words = dict(line.split(" ", 1) for line in told.splitlines())
    process = re.search(r"/sshd -D(.*?)(?: \[listener\].*)?$", words["process"].strip())
    problems = []
    if process is None or process[1].strip():
        problems.append(f"it was started with other words than its unit's: {words['process'].strip()}")
    if file := units.unread(told):
        problems.append(f"it runs with older settings than {file}")
    return problems


def certificate_problems(
    shown: str, *, key: str, authorities: Iterable[str], names: Iterable[str], now: datetime
) -> list[str]:
    """What is wrong with a host's certificate, from `ssh-keygen -L` (in UTC) and `ssh-keygen -l` of its key."""
    lines = [line.strip() for line in shown.splitlines()]
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    if "host certificate" not in fields.get("Type", ""):
        return ["it is no host's certificate"]
    problems = []
    if fields["Public key"].split()[1] not in key.split():
        problems.append("it is for another key")
    if fields["Signing CA"].split()[1] not in set(authorities):
        problems.append(f"it is signed by {fields['Signing CA'].split()[1]}, which is not declared")
    begin, end = re.findall(r"\d{4}-\d\d-\d\dT[\d:]+", fields["Valid"]) or ("", "")
    if not begin or not _moment(begin) <= now <= _moment(end):
        problems.append(f"it is valid {fields['Valid']}")
    missing = set(names) - set(lines)
    return problems + [f"it does not name {name}" for name in sorted(missing)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def accepted(log: str) -> tuple[str, str] | None:
    """The person and the authority's fingerprint of the certificate that a log line accepted."""
    found = re.search(r"Accepted publickey for \S+ .*-CERT \S+ ID (\S+).* CA \S+ (SHA256:\S+)", log)
    return (found[1], found[2]) if found else None


def refusal(log: str, person: str) -> str:
    """Why sshd refused a person's key, in its own words; empty when the log does not say.

    The lines of one connection share the process number: `sshd-session[42]: ...`.
    """
    connections: dict[str, list[str]] = {}
    for line in log.splitlines():
        process, _, said = line.partition("]: ")
        connections.setdefault(process.rpartition("[")[2], []).append(said)
    for lines in reversed(connections.values()):
        reasons = [line for line in lines if any(words in line for words in REFUSALS)]
        if reasons and any(f"user {person} " in line or f"for {person} " in line for line in lines):
            return reasons[-1]
    return ""


def offered(message: str) -> set[str]:
    """The ways to log in that a server named in `Permission denied (publickey,password).`, if it refused."""
    found = re.search(r"Permission denied \(([\w,-]+)\)", message)
    return set(found[1].split(",")) if found else set()
