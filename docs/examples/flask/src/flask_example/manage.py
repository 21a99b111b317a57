"""The programs beside the service."""

from __future__ import annotations

import sys

from . import store


def migrate() -> None:
    """Make the tables."""
    store.migrate()


def member() -> None:
    """Add a member, or change the password: example-member EMAIL [staff], the password on standard input."""
    email, *roles = sys.argv[1:]
    values = {"email": email, "password": store.hashed(sys.stdin.read().strip()), "staff": roles == ["staff"]}
    with store.connect() as connection:
        connection.execute(
            "INSERT INTO member (email, password, staff) VALUES (%(email)s, %(password)s, %(staff)s)"
            " ON CONFLICT (email) DO UPDATE SET password = %(password)s, staff = %(staff)s",
            values,
        )
        store.record(connection, "console", "insert", f"member {email}")
