"""SSH-1: a certificate opens the door, and nothing else does."""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugins.module_utils import access
from plugins.module_utils.declaration.revocations import revocation_list

from . import certificates
from . import declared as release
from .judges import files, sshd, units
from .marks import control, not_assessed
from .sources import LATER
from .ssh import Login
from .words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .environment import Environment
    from .evidence import Evidence
    from .machine import Lab, Machine

BARE = "login-with-bare-key"
UNITS: Mapping[str, units.State] = {
    "ssh.service": "on",
    "ssh.socket": "off",
    "art32-revocations.timer": "on",
    "art32-revocations.service": "on call",
    "art32-break-glass.service": "on call",
}
# Of OpenSSH's list (PROTOCOL.krl): the date of making is a word of eight bytes, what is revoked follows.
DATE = slice(20, 28)
REVOKED = slice(28, None)


@pytest.fixture(scope="session")
def bare_key(declaration: Environment, lab: Lab) -> Iterator[Path]:
    """The key of the person who audits, where ssh finds no certificate beside it."""
    if lab.kept_only:  # nobody tries to log in
        yield Path()
        return
    own = certificates.own_key(declaration)
    if not own.exists():
        not_assessed(f"{own} is missing; the audit's own login makes it")
    with tempfile.TemporaryDirectory(prefix="art32-") as scratch:
        key = Path(scratch, "key")
        shutil.copy(own, key)
        shutil.copy(own.with_name(f"{own.name}.pub"), key.with_suffix(".pub"))
        yield key


@control("SSH-1")
def test_effective_settings_accept_certificates_only(managed: Machine) -> None:
    found = sshd.weaknesses(sshd.effective(managed.observed("sshd-effective").text))
    assert not found, f"The SSH server is open to more than certificates: {', '.join(found)}."


@control("SSH-1")
def test_no_account_has_settings_of_its_own(managed: Machine) -> None:
    told: dict[str, list[str]] = {}
    for line in managed.observed("sshd-per-account").text.splitlines():
        account, _, setting = line.partition(" ")
        told.setdefault(account, []).append(setting)
    assert told.keys() > {"root"}, "The server's settings could not be asked for any person's account."
    for account, lines in told.items():
        found = sshd.weaknesses(sshd.effective("\n".join(lines)))
        assert not found, f"For {account} the SSH server is open to more than certificates: {', '.join(found)}."
        other = set(lines) ^ set(told["root"])
        assert not other, f"For {account} the SSH server has settings of its own: {', '.join(sorted(other))}."


@control("SSH-1")
@pytest.mark.usefixtures("ours")
def test_effective_settings_equal_the_declared_ones(managed: Machine, declaration: Environment) -> None:
    codename = re.search(r"(?m)^release (\w+)$", managed.observed("sshd-running").text)
    name = f"sshd-declared-{codename and codename[1]}"
    lines = release.sshd_settings(declaration, managed.name)
    if name not in lines:
        not_assessed(f"no settings are declared for this release of Debian: {codename and codename[1]}")
    wanted = set(managed.fetch(name, lines[name]).text.splitlines())
    found = set(managed.observed("sshd-effective-for-root").text.splitlines())
    other = [f"{line} is effective" for line in sorted(found - wanted)]
    other += [f"{line} is declared" for line in sorted(wanted - found - {release.SSHD_OTHER})]
    # What it says of others than the one who was asked about, and from elsewhere, no effective setting tells.
    other += ["/etc/ssh/sshd_config is not as the role writes it"] * (release.SSHD_OTHER in wanted)
    assert not other, f"The SSH server has other settings than the declared ones: {'; '.join(other)}."


@control("SSH-1")
def test_server_runs_with_nothing_but_these_settings(managed: Machine) -> None:
    found = sshd.running_problems(managed.observed("sshd-running").text)
    found += [f"{path} was added" for path in managed.observed("sshd-drop-ins").text.split()]
    found += [f"others than root can change {path}" for path in managed.observed("writable-sshd").stdout.split()]
    assert not found, f"The SSH server may have other settings than its file: {'; '.join(found)}."


@control("SSH-1")
@pytest.mark.usefixtures("ours")
def test_server_and_its_watch_are_there_at_every_start(managed: Machine) -> None:
    shown = units.parse(managed.observed("way-in-units").text)
    found = units.state_problems(shown, UNITS, laid=release.files(managed, "SSH-1"))
    assert not found, f"The SSH server is not started as it has to be: {'; '.join(found)}."


@control("SSH-1")
@pytest.mark.usefixtures("ours")
def test_files_of_the_way_in_are_the_declared_ones(managed: Machine) -> None:
    found = files.problems(managed.observed("managed-files").text, release.files(managed, "SSH-1"))
    assert not found, f"Programs and files of the way in were changed: {'; '.join(found)}."


@control("SSH-1")
@pytest.mark.usefixtures("ours")
def test_host_shows_a_certificate_of_the_declared_authority(managed: Machine, now: datetime) -> None:
    shown = managed.observed("host-certificate")
    assert shown.rc == 0, f"The server has no certificate to show: {shown.stderr.strip()}"
    found = sshd.certificate_problems(
        shown.text,
        key=managed.observed("host-key").text,
        authorities=[access.fingerprint(line) for line in managed.variable("sshd_trusted_user_ca_keys", [])],
        names=managed.variable("sshd_host_names", []),
        now=now,
    )
    assert not found, f"Nobody can tell the server by its certificate: {'; '.join(found)}."


@control("SSH-1")
def test_what_is_revoked_equals_the_declaration(managed: Machine, now: datetime) -> None:
    days = int(managed.variable("sshd_revocation_max_age_days", 30))
    declared = base64.b64decode(revocation_list(managed.variable("sshd_revocations", []), days))
    found = base64.b64decode(managed.observed("revoked-keys").text)
    assert found[REVOKED] == declared[REVOKED], "The list of revoked keys is not the one that is declared."
    age = now - datetime.fromtimestamp(int.from_bytes(found[DATE]), tz=UTC)
    assert age <= timedelta(days=days), f"The list of revoked keys is {counted(age.days, 'day')} old; allowed: {days}."


@control("SSH-1")
def test_trusted_authorities_equal_the_declaration(managed: Machine) -> None:
    trusted = keys(managed.observed("ssh-authorities").text)
    declared = keys("\n".join(managed.variable("sshd_trusted_user_ca_keys", [])))
    assert not trusted - declared, f"An authority is trusted that is not declared: {', '.join(trusted - declared)}."
    assert not declared - trusted, f"A declared authority is not trusted: {', '.join(declared - trusted)}."


@control("SSH-1")
def test_certificate_gets_in(managed: Machine) -> None:
    login = managed.observed("own-login")
    found = sshd.accepted(login.stdout)
    assert found, f"The audit itself got in without a certificate: {login.stdout.strip() or 'no line in the log'}"
    own = {access.fingerprint(line) for line in managed.variable("sshd_trusted_user_ca_keys", [])}
    assert found[1] in own, f"The certificate's authority {found[1]} is not in sshd_trusted_user_ca_keys."


@control("SSH-1")
def test_same_key_without_certificate_is_refused(managed: Machine, bare_key: Path) -> None:
    person = certificates.person(managed.lab.environment)
    told = without_certificate(managed, bare_key)
    assert told.rc != 0, f"The bare key of {person} got in."
    log = managed.fetch("log-of-bare-key", LATER["log-of-bare-key"])
    assert sshd.refusal(log.stdout, person), f"The server's log does not say that it refused the key of {person}."


@control("SSH-1")
def test_password_is_not_even_asked_for(managed: Machine, bare_key: Path) -> None:
    ways = sshd.offered(without_certificate(managed, bare_key).stdout)
    assert ways == {"publickey"}, f"The server offers more than certificates: {', '.join(sorted(ways))}."


@control("SSH-1", kind="exercise")
def test_fresh_certificate_gets_in(managed: Machine, declaration: Environment, tmp_path: Path) -> None:
    key = certificates.issue(declaration, tmp_path, "audit of SSH-1")
    person, ca_public = certificates.person(declaration), declaration.get("access_ca_public")
    left = access.remaining(key, person=person, ca_public=ca_public, now=datetime.now(tz=UTC))
    assert left, f"No certificate could be made for {person}."
    told = managed.attempt(
        "login-with-fresh-certificate", Login(user=person, key=key, certificate=access.certificate_of(key))
    )
    assert told.rc == 0, f"A fresh certificate of {person} is refused: {told.stdout.strip()}"


def without_certificate(managed: Machine, bare_key: Path) -> Evidence:
    """The one attempt with the bare key. A second would make the server shut out the controller's address."""
    login = Login(user=certificates.person(managed.lab.environment), key=bare_key)
    kept = managed.lab.store.find(managed.name, BARE)
    told = managed.lab.store.use(kept) if kept else managed.attempt(BARE, login)
    if told.rc != 0 and not sshd.offered(told.stdout):
        not_assessed(f"the attempt ended otherwise than refused: {told.stdout.strip()}")
    return told


def keys(lines: str) -> set[str]:
    """The fingerprints of public key lines, without comments and empty ones."""
    stripped = [line.strip() for line in lines.splitlines()]
    return {access.fingerprint(line) for line in stripped if line and not line.startswith("#")}


@control("SSH-1")
@pytest.mark.usefixtures("ours")
def test_clock_and_alarms_are_set_up_as_declared(managed: Machine) -> None:
    found = release.problems(managed, "base", only=release.CLOCK_AND_ALARMS)
    assert not found, f"The clock that certificates end by, or what tells of failures, was changed: {'; '.join(found)}."
