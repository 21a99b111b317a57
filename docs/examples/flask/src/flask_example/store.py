"""Members, their passwords and what they did."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Any

import bcrypt
import psycopg
from psycopg.rows import dict_row

COST = 12
Connection = psycopg.Connection[dict[str, Any]]


def connect() -> Connection:
    """Log in where PGHOST, PGDATABASE and PGUSER lead, which the service is started with."""
    return psycopg.connect(row_factory=dict_row)


def migrate() -> None:
    """Make the tables."""
    with connect() as connection:
        connection.execute(files(__package__).joinpath("schema.sql").read_bytes())


def hashed(password: str) -> str:
    """What is kept of a password. bcrypt takes 72 bytes and refuses more."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(COST)).decode()


# So that an unknown address takes as long as a wrong password.
NOBODY = hashed(os.urandom(16).hex())


def who(connection: Connection, email: str, password: str) -> dict[str, Any] | None:
    """The active member with this password."""
    found = connection.execute("SELECT * FROM member WHERE email = %s AND active", [email]).fetchone()
    kept = (found or {}).get("password", NOBODY)
    is_right = len(password.encode()) <= 72 and bcrypt.checkpw(password.encode(), kept.encode())
    return found if is_right else None


def record(connection: Connection, who: str, what: str, target: str) -> None:
    """Note what is done, in the transaction in which it is done."""
    connection.execute("INSERT INTO activity (who, what, target) VALUES (%s, %s, %s)", [who, what, target])
