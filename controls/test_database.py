"""DB-1, PUR-1 and the database's part of NET-2 and ACC-1: who can read the data equals the declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from . import declared as release
from .client_certificates import certified, options_for
from .judges import cluster
from .marks import control, not_assessed

if TYPE_CHECKING:
    from .environment import Environment
    from .machine import Machine

PORT = 5432
# Of the server's files, those that say who gets in.
ACCESS = ("*/pg_hba.conf", "*/pg_ident.conf", "/etc/postgresql/art32/clients.crt")
OWN_CONNECTION = """
  SELECT coalesce(version, ''), host(inet_client_addr()) FROM pg_stat_ssl WHERE pid = pg_backend_pid()
"""
REFUSED = "refused: "
TOOL = f"psycopg {psycopg.__version__}"


@pytest.fixture
def wanted(declaration: Environment) -> cluster.Expected:
    """What has to be in the cluster."""
    return cluster.expected(databases(declaration), declaration.people("database"))


@pytest.fixture
def running(database: Machine) -> dict[str, Any]:
    """The cluster as it runs."""
    found: dict[str, Any] = database.observed("cluster").json()
    return found


@pytest.fixture
def inside(database: Machine, running: dict[str, Any], declaration: Environment) -> dict[str, dict[str, Any]]:
    """Every declared database as it is; where none is declared, the cluster alone tells."""
    del running
    return {name: database.observed(f"database-{name}").json() for name in databases(declaration)}


@control("NET-2")
def test_loaded_pg_hba_equals_the_declaration(
    database: Machine, running: dict[str, Any], declaration: Environment
) -> None:
    assert running["hba_loaded"], "pg_hba.conf was changed after the server loaded it."
    sources = [
        source for rule in declaration.exposure(database.name) if rule["port"] == PORT for source in rule["sources"]
    ]
    people = declaration.people("database") if databases(declaration) else {}
    found = cluster.hba_problems(running["hba"], sources, people, certified(declaration))
    assert not found, f"The loaded pg_hba differs from the declaration: {'; '.join(found)}."


@control("NET-2")
def test_person_logs_in_over_tls_from_the_management(
    database: Machine, management: Machine, declaration: Environment
) -> None:
    # Whoever needs no certificate first: for the others one is made, if it can be.
    people = sorted(declaration.people("database"), key=certified(declaration).__contains__)
    person, name = next(iter(people), ""), next(iter(databases(declaration)), "")
    password = database.variable("postgresql_passwords", {}).get(person)
    if not person or not name or not password:
        not_assessed("nobody with a password for a declared database is declared")
    pinned = database.observed("database-certificate").text
    for address in database.addresses:
        seen = login(management, database, address, name=name, user=person, password=password, pinned=pinned)
        assert seen["tls"], f"{person} was let in without TLS."
        assert seen["from"] in management.addresses, f"The login came from {seen['from']}, not from {management.name}."


@control("DB-1")
@control("PUR-1")
def test_databases_and_their_readers_equal_the_declaration(
    database: Machine, running: dict[str, Any], wanted: cluster.Expected
) -> None:
    found = cluster.database_problems(running, wanted)
    assert not found, f"The databases differ from services: {'; '.join(found)}."


@control("DB-1")
def test_no_row_stands_where_no_service_keeps_its_own(database: Machine, running: dict[str, Any]) -> None:
    if "strays" not in running:
        not_assessed("the bundle is from a time when this was not asked")
    found = cluster.stray_problems(running, database.observed("clusters").text)
    assert not found, f"Rows are kept where nobody declared it: {'; '.join(found)}."


@control("DB-1")
def test_settings_hold_for_everybody(database: Machine, running: dict[str, Any]) -> None:
    if "own_settings" not in running:
        not_assessed("the bundle is from a time when this was not asked")
    found = cluster.setting_problems(running)
    assert not found, f"The server's settings do not hold for everybody: {'; '.join(found)}."


@control("DB-1")
@pytest.mark.usefixtures("ours")
def test_settings_are_those_of_the_declared_file(database: Machine, running: dict[str, Any]) -> None:
    if "set_elsewhere" not in running:
        not_assessed("the bundle is from a time when this was not asked")
    found = cluster.source_problems(running)
    assert not found, f"The server's settings may be others than the declared ones: {'; '.join(found)}."


@control("PUR-1")
def test_roles_equal_the_declaration(database: Machine, running: dict[str, Any], wanted: cluster.Expected) -> None:
    found = [*cluster.role_problems(running, wanted), *cluster.membership_problems(running, wanted)]
    assert not found, f"The roles differ from services and people: {'; '.join(found)}."


@control("PUR-1")
def test_grants_equal_the_declaration(database: Machine, inside: dict[str, dict[str, Any]]) -> None:
    found = [problem for name, content in inside.items() for problem in cluster.relation_problems(content, name)]
    assert not found, f"Somebody may do more than declared: {'; '.join(found)}."


@control("PUR-1")
def test_nothing_hidden_gives_more_than_the_declaration(database: Machine, inside: dict[str, dict[str, Any]]) -> None:
    if any("columns" not in content for content in inside.values()):
        not_assessed("the bundle is from a time when this was not asked")
    found = [problem for name, content in inside.items() for problem in cluster.hidden_problems(content, name)]
    assert not found, f"Somebody may do more, or other things are done, than declared: {'; '.join(found)}."


@control("PUR-1")
def test_extensions_equal_the_declaration(
    database: Machine, inside: dict[str, dict[str, Any]], declaration: Environment
) -> None:
    declared = {service["database"]: service["extensions"] for service in declaration.services}
    found = [
        f"{problem} in database {name}"
        for name, content in inside.items()
        for problem in cluster.extension_problems(content, declared[name])
    ]
    assert not found, f"The extensions differ from services: {'; '.join(found)}."


@control("PUR-1")
def test_nothing_carries_rows_elsewhere(
    database: Machine, running: dict[str, Any], inside: dict[str, dict[str, Any]]
) -> None:
    found = cluster.outgoing(running, inside.values())
    assert not found, f"Rows could leave by {', '.join(found)}."


@control("ACC-1")
def test_database_logins_equal_the_declared_people(
    database: Machine, running: dict[str, Any], wanted: cluster.Expected
) -> None:
    found = cluster.loose_logins(running, wanted)
    assert not found, f"The database's logins differ from people and services: {'; '.join(found)}."


def databases(declaration: Environment) -> list[str]:
    """The declared services' databases."""
    return [service["database"] for service in declaration.services if service["database"]]


def login(  # noqa: PLR0913 - a login has many parts
    vantage: Machine, target: Machine, address: str, *, name: str, user: str, password: str, pinned: str
) -> dict[str, Any]:
    """Log in to a database from a vantage host, trusting the pinned certificate alone; what the server saw."""
    kept_as = f"database-login-at-{address}"
    kept = vantage.recalled(kept_as)
    if kept:
        return _read(kept.text)
    trusted = vantage.lab.connections.directory / "database.crt"
    trusted.write_text(pinned, encoding="utf-8")
    options: dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": str(trusted), "connect_timeout": 10}
    options["hostaddr"], options["port"] = vantage.way(address, PORT)
    options |= options_for(vantage.lab.environment, user, vantage.lab.connections.directory)
    tried = f"psql host={address} dbname={name} user={user}"
    try:
        with psycopg.connect(host=target.name, dbname=name, user=user, password=password, **options) as connection:
            version, peer = connection.execute(OWN_CONNECTION).fetchone() or ("", "")
    except psycopg.OperationalError as error:
        told = f"{user} cannot log in to {name} at {address} from {vantage.name}: {error}"
        vantage.keep(kept_as, tried, f"{REFUSED}{told}\n", tool=TOOL)
        raise AssertionError(told) from error
    text = f"user {user}\ndatabase {name}\naddress {address}\ntls {version or 'none'}\nseen as {peer}\n"
    return _read(vantage.keep(kept_as, tried, text, tool=TOOL).text)


def _read(text: str) -> dict[str, Any]:
    """What a login saw, from how it was written down.

    Raises AssertionError when it was refused.
    """
    if text.startswith(REFUSED):
        raise AssertionError(text.removeprefix(REFUSED).strip())
    said = {key: value for key, _, value in (line.rpartition(" ") for line in text.splitlines())}
    return {"tls": said["tls"] != "none", "version": said["tls"], "from": said["seen as"]}


@control("NET-2")
@pytest.mark.usefixtures("ours")
def test_files_that_let_people_in_are_the_declared_ones(database: Machine) -> None:
    found = release.problems(database, "postgresql", only=ACCESS)
    assert not found, f"What says who may log in was changed: {'; '.join(found)}."


@control("DB-1")
@pytest.mark.usefixtures("ours")
def test_database_server_is_set_up_as_declared(database: Machine) -> None:
    found = release.problems(database, "postgresql", without=ACCESS)
    assert not found, f"The database server's files or units were changed: {'; '.join(found)}."
