"""What is true of one person's access, or of a former secret, found out by trying."""

from __future__ import annotations

__all__ = ["Trial", "former_secret", "held", "person"]

import hashlib
import secrets
import shlex
import tempfile
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from plugins.module_utils import access

from . import certificates, sources
from .evidence import NotAssessedError
from .ssh import Login
from .test_database import databases, login
from .web import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .environment import Environment
    from .machine import Lab, Machine

Outcome = Literal["in", "out", "unclear"]
REFUSED = ("Permission denied", "authentication failed", "no pg_hba.conf entry", "does not exist", "is not permitted")
PASSWORDS = "vault_database_passwords"
HELD = "sha256sum /run/credentials/*/* /etc/art32/credentials/*/* || true"
# Of the reference platform.
MANAGE = "platform-manage"
LOGIN, LOGOUT = "/login/", "/logout/"
NOT_TRIED = "; no login was tried, for no vantage host is declared"
NOT_TOGETHER = "This e-mail address and password do not belong together."
SESSIONS = """
SELECT count(*) FROM accounts_session session JOIN accounts_account account ON account.id = session.account_id
 WHERE account.email = {}
"""
# Whoever chose a password of their own meanwhile keeps it.
FORGET = """
SELECT set_config('art32.account', 'try-access', false);
UPDATE accounts_account SET password = 'UNUSABLE' WHERE email = {} AND md5(password) = 'MARK'
"""
SECRET_BYTES = 32
COMMAND_SECONDS = 60
FOUND = 302


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
    holders = list(_holders(lab, str(_below(lab.environment, secret))))
    for machine, service, texts in holders:
        listed = machine.fetch("credentials", HELD).text.splitlines()
        before = [text.replace(present, former) for text, present in texts]
        yield held(machine, service, listed, before, wanted="out")
        yield held(machine, service, listed, [text for text, _ in texts], wanted="in")
    if not holders:
        yield Trial(
            layer="service",
            where="every host",
            wanted="in",
            found="unclear",
            said="no service is given it: it can leave the vault",
        )


def _below(environment: Environment, path: str) -> Any:  # noqa: ANN401 - any value of a vault
    """What is at a path of the vault, dots between its keys."""
    name, *keys = path.split(".")
    return reduce(lambda found, key: found[key], keys, environment.get(name, {}))


def _holders(lab: Lab, present: str) -> Iterator[tuple[Machine, str, list[tuple[str, str]]]]:
    """Each host's services that are given a secret, alone or within a longer text."""
    for machine in map(lab.machine, lab.environment.managed):
        for service in lab.environment.services_on(machine.name):
            texts = [(str(text), present) for text in service["secrets"].values() if present and present in str(text)]
            if texts:
                yield machine, service["name"], texts


def held(machine: Machine, service: str, listed: list[str], texts: list[str], *, wanted: Outcome) -> Trial:
    """Whether a service has these texts: what waits for its next start, and what it was started with."""
    digests = {hashlib.sha256(text.encode()).hexdigest() for text in texts}
    held = [(digest, path) for digest, path in (line.split(maxsplit=1) for line in listed) if digest in digests]
    running = {digest for digest, path in held if f"/art32-{service}.service/" in path}
    found: Outcome = "in" if (held if wanted == "out" else running == digests) else "out"
    said = ", ".join(path for _, path in held) or "no service holds it"
    return Trial(layer="service", where=machine.name, wanted=wanted, found=found, said=said)


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
    pinned = machine.fetch("database-certificate", f"cat {sources.PINNED}").text
    address = machine.addresses[0]
    found: Outcome
    try:
        seen = login(vantage, machine, address, name=database, user=name, password=password, pinned=pinned)
        found, said = "in", f"logged in to {database} from {seen['from']}"
    except AssertionError as error:
        found, said = _judged(str(error)), _last(str(error))
    except NotAssessedError as error:
        found, said = "unclear", str(error)
    return Trial(layer="database", where=machine.name, wanted=wanted, found=found, said=said)


def _platform(lab: Lab, layers: dict[str, str]) -> Iterator[Trial]:
    """The account on the reference platform, and its sessions; other services have accounts of their own."""
    service = next((entry for entry in lab.environment.services if entry["manage"] == MANAGE), None)
    if service is None or "email" not in layers:
        return
    email = layers["email"].lower()
    wanted: Outcome = "in" if "platform" in layers else "out"
    for machine in map(lab.machine, lab.environment.hosts("database")):
        account = Account(machine=machine, service=service, email=email)
        found, said = account.tried(wanted)
        yield Trial(layer="platform", where=machine.name, wanted=wanted, found=found, said=said)
        if wanted == "out":
            count = account.sessions()
            found = "in" if count else "out"
            yield Trial(layer="sessions", where=machine.name, wanted="out", found=found, said=f"{count} of theirs")


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody's account on the reference platform."""

    machine: Machine
    service: Mapping[str, Any]
    email: str

    def tried(self, wanted: Outcome) -> tuple[Outcome, str]:
        """Whether it lets anybody in, by a login over HTTPS with a password that is good for this trial only.

        A person's own password is never replaced while the account is to stay: it is not tried then.
        """
        told = self._ask("SELECT is_active, password NOT LIKE '!%' FROM accounts_account WHERE email = {}")
        if not told:
            return "out", "there is no account"
        active, own = (word == "t" for word in told.split("|"))
        if active and wanted == "out":
            return "in", "the account is active"
        if active and own:
            return "in", "the account is active, with a password of its own that nobody else knows"
        if not self._vantages():
            return ("in" if active else "out"), f"{'an' if active else 'no'} active account{NOT_TRIED}"
        password = secrets.token_urlsafe(SECRET_BYTES)
        problem = self._set(password)
        if problem:
            return "unclear", problem
        mark = self._ask("SELECT md5(password) FROM accounts_account WHERE email = {}")
        try:
            return self._log_in(password)
        finally:
            unusable = f"!{secrets.token_urlsafe(SECRET_BYTES)}"
            self._ask(FORGET.replace("MARK", mark).replace("UNUSABLE", unusable), writing=True)

    def sessions(self) -> int:
        """How many sessions it has."""
        return int(self._ask(SESSIONS))

    def _ask(self, statement: str, *, writing: bool = False) -> str:
        quoted = "'" + self.email.replace("'", "''") + "'"
        command = sources.sql(statement.replace("{}", quoted), self.service["database"], writing=writing)
        return self.machine.fetch("platform-account", command).text.strip()

    def _set(self, password: str) -> str:
        """Give it a password, as the service's own command does; what went wrong, if anything did."""
        lab = self.machine.lab
        host = next((host for host in lab.environment.managed if self._is_on(host)), "")
        if not host or not lab.environment.hosts("web"):
            return f"no host runs {self.service['name']} and serves it"
        words = ["sudo", "-n", "art32-manage", self.service["name"], "member", "--email", self.email]
        command = shlex.join([*words, "--password-stdin"])
        done = lab.connections.run(host, command, stdin=f"{password}\n", timeout=COMMAND_SECONDS)
        return "" if done.returncode == 0 else f"no password can be tried: {_last(done.stderr)}"

    def _is_on(self, host: str) -> bool:
        return any(entry["name"] == self.service["name"] for entry in self.machine.lab.environment.services_on(host))

    def _vantages(self) -> list[str]:
        environment = self.machine.lab.environment
        return environment.hosts("management") or environment.hosts("visitor")

    def _log_in(self, password: str) -> tuple[Outcome, str]:
        environment = self.machine.lab.environment
        address = environment.addresses(environment.hosts("web")[0])[0]
        site = Client(self.machine.lab.machine(self._vantages()[0]), address, self.service["domain"])
        try:
            site.get(LOGIN)
            reply = site.post(LOGIN, {"username": self.email, "password": password})
        except (AssertionError, NotAssessedError) as error:
            return "unclear", str(error)
        if reply.status == FOUND:
            site.post(LOGOUT, {})
            code = ", and asks for the code next" if "code" in reply.location else ""
            return "in", f"https://{self.service['domain']} accepts the password{code}"
        if NOT_TOGETHER in reply.body:
            return "out", f"https://{self.service['domain']} refuses the right password: {NOT_TOGETHER}"
        return "unclear", f"https://{self.service['domain']}{LOGIN} answers {reply.status}"


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
