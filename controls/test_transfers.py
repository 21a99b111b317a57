"""TLS-1 beside the web: what goes to the mail relay, to the database and to the backups is encrypted on its way."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import TYPE_CHECKING

import pytest

from .judges import conformance, transfers
from .marks import control, not_assessed
from .test_database import PORT
from .web import AGREED, NOTHING, SECONDS

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

# https://www.postgresql.org/docs/current/protocol-message-formats.html: SSLRequest, and what is answered to it.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
WILLING = b"S"


@control("TLS-1")
def test_mail_relay_is_handed_nothing_but_over_tls(managed: Machine) -> None:
    told = managed.observed("mail-relay").text
    if not transfers.is_met(told):
        not_assessed(f"{told.split()[1]} does not answer {managed.name}: {told.splitlines()[-1]}")
    found = transfers.relay_problems(told)
    assert not found, f"Alarms of {managed.name} are not safe on their way: {'; '.join(found)}."


@control("TLS-1")
def test_services_hand_mail_over_tls_only(app: Machine, declaration: Environment) -> None:
    relay = app.variable("base_mail_relay", "")
    services = declaration.services_on(app.name)
    reached = {service["name"]: service["talks_to"] for service in services}
    app.lab.declared(f"mail-of-{app.name}", base_mail_relay=relay, talks_to=reached)
    for service in services:
        answer = app.observed(f"conformance-{service['name']}").json() if service["conformance"] else {}
        if "mail" in answer:
            found = conformance.mail_problems(answer["mail"])
            assert not found, f"What {service['name']} mails is not safe on its way: {'; '.join(found)}."
            if answer["mail"]["relay"] and not answer["mail"]["answered"]:
                not_assessed(f"the relay does not answer {service['name']}: {answer['mail']['problem']}")
        elif relay and relay in service["talks_to"]:
            not_assessed(f"{service['name']} talks to the relay and does not tell of mail (conformance.schema.json)")


@control("TLS-1")
def test_database_takes_nobody_over_the_network_without_tls(database: Machine) -> None:
    running = database.observed("cluster").json()
    found = transfers.database_problems(running["settings"], running["hba"])
    assert not found, f"The database can be talked to without current TLS: {'; '.join(found)}."


@control("TLS-1")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # an old version is tried on purpose
def test_database_agrees_on_current_tls(database: Machine, declaration: Environment) -> None:
    """Asked from the management; where there is no machine to ask from, on the host itself."""
    rules = [rule for rule in declaration.exposure(database.name) if rule["port"] == PORT]
    database.lab.declared(f"exposure-{database.name}", port=PORT, rules=rules)
    if not rules:
        return  # nobody may reach it, which NET-2 looks after
    vantages = declaration.hosts("management")
    if not vantages:
        agreed = transfers.agreed(database.observed("database-handshake").text)
        assert agreed in transfers.CURRENT, f"The database agrees on {agreed or 'no TLS at all'}."
        return
    management = database.lab.machine(vantages[0])
    pinned = database.observed("database-certificate").text
    for address in database.addresses:
        agreed = handshake(management, database, address, pinned=pinned, highest=ssl.TLSVersion.TLSv1_3)
        assert agreed in transfers.CURRENT, f"The database at {address} agrees on {agreed or 'no TLS at all'}."
        archaic = handshake(management, database, address, pinned=pinned, highest=ssl.TLSVersion.TLSv1_1)
        assert not archaic, f"The database at {address} still agrees on {archaic}."


@control("TLS-1")
def test_backups_travel_encrypted_to_whom_they_are_for(managed: Machine, declaration: Environment) -> None:
    sources, repositories = declaration.hosts("database"), declaration.hosts("backup")
    if declaration.backs_up_to_bucket and managed.name in sources:
        written = managed.observed("backup-bucket").text.splitlines()
        assert "repo1-storage-verify-tls=y" in written, "pgBackRest takes any endpoint for the bucket's."
        return
    others = (sources if managed.name in repositories else []) + (repositories if managed.name in sources else [])
    managed.lab.declared(f"backup-of-{managed.name}", database=sources, backup_repository=repositories)
    for other in others:
        told = managed.observed(f"backup-way-{other}").text
        if not transfers.is_met(told):
            not_assessed(f"{other} does not answer {managed.name}: {told.splitlines()[-1]}")
        found = transfers.backup_problems(told)
        assert not found, f"What goes between {managed.name} and {other} is not safe: {'; '.join(found)}."


def handshake(vantage: Machine, target: Machine, address: str, *, pinned: str, highest: ssl.TLSVersion) -> str:
    """The protocol that a database agrees on under its own certificate, with a client that knows none above `highest`.

    Empty when it refuses.
    """
    name = f"database-tls-at-most-{highest.name}-at-{address}"
    kept = vantage.recalled(name)
    if kept:
        agreed = kept.stdout.removeprefix(AGREED).strip()
        return "" if agreed.startswith(NOTHING) else agreed
    context = ssl.create_default_context(cadata=pinned)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the very certificate is known; who made it is nobody
    context.set_ciphers("ALL:@SECLEVEL=0")  # without it a current OpenSSL would not even offer TLS 1.1
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, highest
    try:
        with socket.create_connection(vantage.way(address, PORT), timeout=SECONDS) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != WILLING:
                raise ssl.SSLError("it has no TLS")
            with context.wrap_socket(plain, server_hostname=target.name) as encrypted:
                said = agreed = encrypted.version() or ""
    except OSError as error:
        said, agreed = f"{NOTHING}, {error}", ""
    vantage.keep(name, f"TLS handshake with PostgreSQL at {address}", f"{AGREED}{said}\n")
    return agreed
