"""What is true of one person's access, or of a former secret, found out by trying."""

from __future__ import annotations

__all__ = ["Trial", "former_secret", "person"]

import hashlib
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from plugins.module_utils import access

from . import certificates, sources
from .ssh import Login
from .test_database import PINNED, databases, login

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .machine import Lab, Machine

Outcome = Literal["in", "out", "unclear"]
REFUSED = ("Permission denied", "authentication failed", "no pg_hba.conf entry", "does not exist", "is not permitted")
PASSWORDS = "vault_database_passwords"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way in that was tried: what had to come of it, what came of it, and what the server said."""

    layer: str
    where: str
    wanted: Outcome
    found: Outcome
    said: str

    @property
    def ok(self) -> bool:
        """Whether it is as wanted."""
        return self.found == self.wanted

    def as_dict(self) -> dict[str, Any]:
        """The shape of the record."""
        return {**asdict(self), "ok": self.ok}


def person(lab: Lab, name: str, layers: dict[str, str]) -> Iterator[Trial]:
    """Try every way in for a person, who has these layers; the others have to be shut, and nothing of theirs runs."""
    yield from _ssh(lab, name, "in" if "ssh" in layers else "out")
    passwords = lab.environment.get(PASSWORDS, {})
    yield from _database(lab, name, str(passwords.get(name, "")), "in" if "database" in layers else "out")
    yield from _platform(lab, layers)
    if not layers or "ssh" not in layers:
        yield from _still_there(lab, name)


def former_secret(lab: Lab, secret: str, former: str) -> Iterator[Trial]:
    """Try a former secret, and the present one from the same place."""
    kind, _, name = secret.partition(".")
    if kind == PASSWORDS:
        yield from _database(lab, name, former, "out")
        yield from _database(lab, name, str(lab.environment.get(PASSWORDS, {}).get(name, "")), "in")
        return
    present = str(lab.environment.get(secret, ""))
    for machine in map(lab.machine, lab.environment.hosts("app")):
        listed = machine.fetch("credentials", "sha256sum /run/credentials/*/* /etc/art32/credentials/*/* || true").text
        for text, wanted in ((former, "out"), (present, "in")):
            digest = hashlib.sha256(text.encode()).hexdigest()
            held = [line.split()[-1] for line in listed.splitlines() if line.startswith(digest)]
            found: Outcome = "in" if held else "out"
            said = ", ".join(held) or "no service holds it"
            yield Trial(layer="service", where=machine.name, wanted=wanted, found=found, said=said)  # type: ignore[arg-type]


def _ssh(lab: Lab, name: str, wanted: Outcome) -> Iterator[Trial]:
    """A new certificate of the environment's own authority, which outlasts whatever the person still holds."""
    environment = lab.environment
    public = str(environment.get("access_ca_public"))
    with tempfile.TemporaryDirectory(prefix="art32-trial-") as scratch:
        signer = access.authority(
            certificates.plain(environment, str(environment.get("access_ca")), Path(scratch)), public
        )
        grant = access.Grant(person=name, environment=environment.name, reason="trial")
        key = access.issue(Path(scratch), grant, signer, log=environment.directory / ".ssh" / "issued.jsonl")
        mine = Login(user=name, key=key, certificate=access.certificate_of(key))
        for machine in map(lab.machine, environment.managed):
            machine.run("true")  # the host answers, or this says why not
            told = machine.attempt(f"trial-{name}", mine)
            found: Outcome = "in" if told.rc == 0 else _judged(told.stderr)
            said = "logged in" if told.rc == 0 else _last(told.stderr)
            yield Trial(layer="ssh", where=machine.name, wanted=wanted, found=found, said=said)


def _database(lab: Lab, name: str, password: str, wanted: Outcome) -> Iterator[Trial]:
    environment = lab.environment
    vantages, servers = environment.hosts("management"), environment.hosts("database")
    for machine in map(lab.machine, servers):
        if not password:
            yield Trial(layer="database", where=machine.name, wanted=wanted, found="out", said="there is no password")
        elif not vantages:
            said = "no host of vantage_management, from where alone the database is reached"
            yield Trial(layer="database", where=machine.name, wanted=wanted, found="unclear", said=said)
        else:
            yield _database_from(lab.machine(vantages[0]), machine, name, password, wanted)


def _database_from(vantage: Machine, machine: Machine, name: str, password: str, wanted: Outcome) -> Trial:
    database = next(iter(databases(machine.lab.environment)), "postgres")
    pinned = machine.fetch("database-certificate", f"cat {PINNED}").text
    address = machine.addresses[0]
    found: Outcome
    try:
        seen = login(vantage, machine, address, name=database, user=name, password=password, pinned=pinned)
        found, said = "in", f"logged in to {database} from {seen['from']}"
    except AssertionError as error:
        found, said = _judged(str(error)), _last(str(error))
    return Trial(layer="database", where=machine.name, wanted=wanted, found=found, said=said)


def _platform(lab: Lab, layers: dict[str, str]) -> Iterator[Trial]:
    """Whether the account on the reference platform is active; other services have accounts of their own."""
    service = next((entry for entry in lab.environment.services if entry["manage"] == "platform-manage"), None)
    if service is None or "email" not in layers:
        return
    wanted: Outcome = "in" if "platform" in layers else "out"
    question = "SELECT email FROM accounts_account WHERE is_active"
    for machine in map(lab.machine, lab.environment.hosts("database")):
        active = machine.fetch("platform-accounts", sources.sql(question, service["database"])).text.split()
        found: Outcome = "in" if layers["email"].lower() in active else "out"
        said = "the account is active" if found == "in" else "no active account"
        yield Trial(layer="platform", where=machine.name, wanted=wanted, found=found, said=said)


def _still_there(lab: Lab, name: str) -> Iterator[Trial]:
    """Processes and connections that began before."""
    for machine in map(lab.machine, lab.environment.managed):
        listed = machine.fetch("processes", f"pgrep -u {name} -l || true").text.split("\n")
        running = [line for line in listed if line.strip() and "invalid user" not in line]
        found: Outcome = "in" if running else "out"
        said = ", ".join(running) or "no process of theirs"
        yield Trial(layer="processes", where=machine.name, wanted="out", found=found, said=said)
    question = "SELECT usename FROM pg_stat_activity WHERE usename IS NOT NULL"
    for machine in map(lab.machine, lab.environment.hosts("database")):
        count = machine.fetch("connections", sources.sql(question)).text.split().count(name)
        found = "in" if count else "out"
        yield Trial(layer="connections", where=machine.name, wanted="out", found=found, said=f"{count} of theirs")


def _judged(said: str) -> Outcome:
    """Refused is only what a server said that it refuses; a host that does not answer proves nothing."""
    return "out" if any(words in said for words in REFUSED) else "unclear"


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no answer"
