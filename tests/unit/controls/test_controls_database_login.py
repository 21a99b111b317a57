"""What a server says to a login tells whether its rules let it in."""

from __future__ import annotations

import pytest

from controls.database_login import verdict


@pytest.mark.parametrize(
    ("said", "let_in"),
    [
        ("", True),
        ('connection failed: FATAL:  password authentication failed for user "jane"', True),
        ('connection failed: FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "jane", database "x"', False),
        ("connection failed: server closed the connection unexpectedly", False),
        ("connection failed: server does not support SSL, but SSL was required", False),
        ("connection failed: FATAL:  connection requires a valid client certificate", False),
        ('connection failed: FATAL:  database "x" does not exist', True),
    ],
)
def test_a_refused_password_is_no_refused_rule(said: str, let_in: bool) -> None:
    assert verdict(said) == let_in


def test_without_a_certificate_it_counts_that_one_is_asked_for() -> None:
    said = "connection failed: FATAL:  connection requires a valid client certificate"
    assert verdict(said, without_certificate=True)
    assert not verdict("connection failed: FATAL:  no pg_hba.conf entry", without_certificate=True)
