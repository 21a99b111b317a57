"""What each role may and may not do, tried as that role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine

DENIED = "permission denied"


def ask(server: Machine, role: str, statement: str, database: str = "platform") -> str:
    """What the server answers to a role, errors included."""
    # Logging in as somebody else needs their password; what a role may do does not depend on how it came in.
    command = "runuser -u postgres -- psql -XAtq -d %s -c %s"
    done = server.run(command, database, f"SET SESSION AUTHORIZATION {role}; {statement}")
    return str(done.stdout + done.stderr).strip()


def log_in(server: Machine, role: str, password: str, database: str = "platform") -> str:
    """What comes of a login over the network."""
    done = server.run("psql -XAtq %s -c 'SELECT current_user'", f"postgresql://{role}:{password}@localhost/{database}")
    return str(done.stdout + done.stderr).strip()


@pytest.mark.parametrize(
    ("role", "password", "answer"),
    [
        ("joe", "anew", "joe"),
        ("joe", "of-joe", "password authentication failed"),
        ("kim", "of-kim", "password authentication failed"),
        ("platform_owner", "x", "password authentication failed"),
        ("mallory", "x", "password authentication failed"),
        ("hoarder", "x", "password authentication failed"),
    ],
)
def test_who_gets_in(server: Machine, role: str, password: str, answer: str) -> None:
    assert answer in log_in(server, role, password)


def test_passwords_are_scram_and_end_with_the_last_day(server: Machine) -> None:
    command = "runuser -u postgres -- psql -XAtq -c %s"
    found = server.check_output(
        command, "SELECT left(rolpassword, 14), rolvaliduntil FROM pg_authid WHERE rolname = 'joe'"
    )
    assert found.startswith("SCRAM-SHA-256$|2031-02-01 00:00:00")


@pytest.mark.parametrize(
    ("role", "statement", "answer"),
    [
        ("platform", "INSERT INTO entry VALUES (1); SELECT id FROM entry LIMIT 1", "1"),
        ("platform", "INSERT INTO log DEFAULT VALUES; SELECT 1", "1"),
        ("platform", "UPDATE log SET id = 0", DENIED),
        ("platform", "DELETE FROM log", DENIED),
        ("platform", "TRUNCATE log", DENIED),
        ("platform", "TRUNCATE entry", DENIED),
        ("platform", "CREATE TABLE mine (id int)", DENIED),
        ("platform", "CREATE SCHEMA mine", DENIED),
        ("platform", "ALTER TABLE entry ADD COLUMN more int", "must be owner"),
        ("platform", "CREATE ROLE mine", DENIED),
        ("platform", "CREATE TEMPORARY TABLE mine (id int)", DENIED),
        ("platform", "ALTER ROLE platform CREATEROLE", DENIED),
        ("platform", "COPY entry TO PROGRAM 'cat'", "pg_execute_server_program"),
        ("platform", "COPY entry FROM PROGRAM 'echo 1'", "pg_execute_server_program"),
        ("platform", "SELECT pg_read_file('/etc/hostname')", DENIED),
        ("platform", "SET ROLE platform_owner", DENIED),
        ("platform", "SELECT public.similarity('word', 'two words') > 0.3", "t"),
        ("platform", "SELECT public.earth() > 0", "t"),
        ("joe", "SELECT count(*) > 0 FROM log", "t"),
        ("joe", "INSERT INTO entry VALUES (1)", DENIED),
        ("joe", "SET ROLE platform", DENIED),
        ("jane", "INSERT INTO entry VALUES (2); SELECT 2", "2"),
        ("jane", "SET ROLE platform_owner; CREATE TABLE later (id int); DROP TABLE later; SELECT 3", "3"),
        ("shop", "SELECT 1 FROM public.entry", DENIED),
    ],
)
def test_what_a_role_may_do(server: Machine, role: str, statement: str, answer: str) -> None:
    assert answer in ask(server, role, statement)


def test_no_login_has_a_power_of_its_own(server: Machine) -> None:
    query = """SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication
        FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres' ORDER BY 1"""
    found = server.check_output("runuser -u postgres -- psql -XAtqc %s", query).splitlines()
    assert found == [f"{name}|f|f|f|f|f" for name in ("jane", "joe", "platform", "shop")]


@pytest.mark.parametrize(("role", "database"), [("shop", "platform"), ("platform", "shop"), ("joe", "postgres")])
def test_nobody_connects_to_what_is_not_theirs(server: Machine, role: str, database: str) -> None:
    question = f"SELECT has_database_privilege('{role}', '{database}', 'CONNECT')"
    assert server.check_output("runuser -u postgres -- psql -XAtqc %s", question) == "f"
    own = question.replace(database, "platform" if role == "joe" else role)
    assert server.check_output("runuser -u postgres -- psql -XAtqc %s", own) == "t"


def test_extensions_are_the_declared_ones_and_those_that_data_hangs_on(server: Machine) -> None:
    query = "SELECT extname FROM pg_extension ORDER BY 1"
    found = server.check_output("runuser -u postgres -- psql -XAtqc %s platform", query)
    assert found.split() == ["cube", "earthdistance", "hstore", "pg_trgm", "plpgsql"]


def test_databases_are_unicode_whatever_the_cluster_is(server: Machine) -> None:
    query = "SELECT datname, pg_encoding_to_char(encoding) FROM pg_database WHERE datname ~ '^p' ORDER BY 1"
    found = server.check_output("runuser -u postgres -- psql -XAtqc %s", query)
    assert found.split() == ["platform|UTF8", "postgres|SQL_ASCII"]


def test_no_password_is_in_the_logs(server: Machine) -> None:
    everything = "journalctl --no-pager -q; cat /var/log/postgresql/*.log /var/log/syslog 2>/dev/null"
    log = server.check_output(everything)
    assert "postgresql_access" in log  # it is in there, with its arguments
    # The other passwords were used on a command line by these tests.
    assert "of-jane" not in log
    assert "SCRAM-SHA-256$4096" not in log
