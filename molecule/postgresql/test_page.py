"""The commands of docs/database.md with which people log in, with what they said here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import shown

from tests.pages import check_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from controls.environment import Environment
    from controls.machine import Machine

PAGE = "database.md"
SERVER = "203.0.113.10"
AUTHORITY = (
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj "/CN=production database"'
    " -keyout database-ca.key -out database-ca.crt"
)
REQUEST = (
    'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=ann" -keyout ann.key -out ann.csr'
)
SIGN = "openssl x509 -req -in ann.csr -CA database-ca.crt -CAkey database-ca.key -CAcreateserial -days 90 -out ann.crt"
WHO = '-Atc "SELECT current_user"'


@pytest.fixture
def compared(declaration: Environment, tmp_path: Path) -> Callable[[str, str], None]:
    """Compares what was said with the page."""
    return lambda command, said: check_page(PAGE, command, said, shown(declaration, tmp_path))


def test_a_person_logs_in_with_a_certificate(
    management: Machine, server: Machine, compared: Callable[[str, str], None]
) -> None:
    """The authority is the declared one; the person's key and certificate are made as the page makes them."""
    pinned = server.file("/etc/postgresql/art32/server.crt").content_string
    management.check_output("umask 077; printf %%s %s >server.crt", pinned)
    for name, variable in (("crt", "postgresql_client_ca"), ("key", "postgresql_client_ca_private_key")):
        management.check_output("umask 077; printf %%s %s >%s", server.variable(variable), f"database-ca.{name}")
    for command in (REQUEST, SIGN):
        management.check_output(command)
        compared(command, "")
    for user, more in (("joe", ""), ("ann", " sslcert=ann.crt sslkey=ann.key"), ("ann", "")):
        pin = f"sslmode=verify-full sslrootcert=server.crt{more}"
        command = f'psql "host={SERVER} dbname=platform user={user} {pin}" {WHO}'
        password = server.variable("vault_database_passwords")[user]
        done = management.run(f"PGPASSWORD=%s {command.replace(SERVER, server.addresses[0])}", password)
        compared(command, done.stdout + done.stderr)


def test_the_authority_is_made(management: Machine, compared: Callable[[str, str], None]) -> None:
    management.check_output(f"cd $(mktemp -d) && {AUTHORITY} && openssl x509 -in database-ca.crt -noout -subject")
    compared(AUTHORITY, "")
