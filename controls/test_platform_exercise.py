"""LOG-1 and JOB-1 by doing it: a declared synthetic account works with the platform, and what it did is looked for."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from . import tools
from .judges import conformance
from .marks import control, not_assessed
from .sources import sql
from .web import Client

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

ARRIVAL_SECONDS = 20
DEEDS = {"change": "UPDATE {} SET account = 'nobody'", "removal": "DELETE FROM {}", "emptying": "TRUNCATE {}"}
RECORD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def service(app: Machine, declaration: Environment) -> dict[str, Any]:
    """The first service that can tell what it does, with what it told."""
    for entry in declaration.services_on(app.name):
        if entry["conformance"] and entry["database"]:
            return {**entry, "told": app.observed(f"conformance-{entry['name']}").json()}
    not_assessed("no service with a database has a conformance command")
    return None


@pytest.fixture
def account(declaration: Environment) -> dict[str, str]:
    """The synthetic account: e-mail address and password."""
    declared: dict[str, str] = declaration.get("audit_synthetic_account") or {}
    if not declared:
        not_assessed("no synthetic account is declared (audit_synthetic_account)")
    return declared


@pytest.fixture
def member(visitor: Machine, web: Machine, service: dict[str, Any], account: dict[str, str]) -> Client:
    """The synthetic account, logged in over HTTPS."""
    site = Client(visitor, web.addresses[0], service["domain"])
    page = site.get("/").location
    site.get(page)
    reply = site.post(page, {"username": account["email"], "password": account["password"]})
    if reply.status != 302:
        not_assessed(f"{account['email']} cannot log in to {site} ({reply.status})")
    return site


@control("LOG-1", kind="exercise")
def test_insert_change_and_removal_leave_a_row_each(
    app: Machine, database: Machine, service: dict[str, Any], account: dict[str, str], member: Client
) -> None:
    urls, home = service["told"]["urls"], member.get("/")
    entity = RECORD.search(home.body)
    if not entity or not conformance.path_of(urls, "contact-add", organisation=""):
        not_assessed(f"{account['email']} has no record of {service['name']} to work on")
    contact = {"name": "Audit", "position": "", "email": "audit@example.org", "phone": ""}
    made = member.post(conformance.path_of(urls, "contact-add", organisation=entity[0]), contact)
    record = RECORD.search(made.location)
    assert record, f"{account['email']} could not add a record: {made.status}."
    member.post(conformance.path_of(urls, "contact-edit", contact=record[0]), {**contact, "name": "Audit, changed"})
    member.post(conformance.path_of(urls, "contact-remove", contact=record[0]), {})
    rows = recorded(database, service, record[0])
    found = [(row["action"], row["account"]) for row in rows]
    wanted = [(action, account["email"]) for action in ("insert", "change", "removal")]
    assert found == wanted, f"Three deeds left the rows {found or 'none'}."
    assert all(row["at"] for row in rows), "A row does not say when."


@control("LOG-1", kind="exercise")
@pytest.mark.parametrize("deed", DEEDS.values(), ids=list(DEEDS))
def test_rows_cannot_be_rewritten(app: Machine, database: Machine, service: dict[str, Any], deed: str) -> None:
    table, name = table_of(service), service["database"]
    for role in (name, f"{name}_owner"):
        statement = f'BEGIN; SET ROLE "{role}"; {deed.format(table)}; ROLLBACK'
        tried = database.fetch(f"rewriting-as-{role}-{deed.split(maxsplit=1)[0]}", sql(statement, name, writing=True))
        assert tried.rc != 0, f"{role} can {deed.split(maxsplit=1)[0]} rows of {table}."
        assert re.search(r"append-only|permission denied", tried.stderr), f"Refused for another reason: {tried.stderr}"


@control("JOB-1", kind="exercise")
def test_request_for_help_reaches_database_and_mailbox(
    app: Machine, database: Machine, service: dict[str, Any], account: dict[str, str], member: Client
) -> None:
    mark = f"audit {secrets.token_hex(8)}"
    path = service["told"]["help"]["path"]
    reply = member.post(path, {"message": mark, "email": account["email"], "page": "/"})
    if reply.status == 429:
        not_assessed(f"{member} takes no more requests for help from {member.vantage.name} this hour")
    assert reply.status == 302, f"{member}{path} answers {reply.status} to a request for help."
    statement = f"SELECT count(*) FROM helpdesk_helprequest WHERE message = '{mark}'"  # noqa: S608 - our own mark
    stored = database.fetch("help-request", sql(statement, service["database"])).text.strip()
    assert stored == "1", f"The request for help is {stored} times in the database."
    assert arrived(app, mark), f"The request for help did not arrive within {ARRIVAL_SECONDS} s."


def table_of(service: dict[str, Any]) -> str:
    """Where a service records activity; what it told goes into a statement, so it has to be a name and no more."""
    table = str(service["told"]["activity"]["table"])
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", table):
        not_assessed(f"{service['name']} names {table!r} as its activity's table")
    return table


def recorded(database: Machine, service: dict[str, Any], record: str) -> list[dict[str, Any]]:
    """The activity about one record, oldest first."""
    rows = f"SELECT * FROM {table_of(service)} WHERE record = '{record}'"  # noqa: S608 - checked names
    statement = f"SELECT coalesce(json_agg(found ORDER BY at), '[]') FROM ({rows}) AS found"  # noqa: S608 - as above
    found: list[dict[str, Any]] = database.fetch("activity-of-own-record", sql(statement, service["database"])).json()
    return found


def arrived(app: Machine, mark: str) -> bool:
    """Whether a text is in the team's mailbox, read by the declared command on the controller."""
    command = app.variable("audit_mailbox_command", [])
    if not command:
        not_assessed("the team's mailbox cannot be read (audit_mailbox_command)")
    for _ in range(ARRIVAL_SECONDS):
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        line = next((line for line in told.stdout.splitlines() if mark in line), "")
        if line:
            keep = app.lab.store.keep
            app.lab.store.use(
                keep(host="mailbox", name="help", command=command[0], rc=0, stdout=line, tool=tools.python())
            )
            return True
        time.sleep(1)
    if told.returncode != 0:
        not_assessed(f"audit_mailbox_command ended with {told.returncode}: {told.stderr.strip()[-200:]}")
    return False
