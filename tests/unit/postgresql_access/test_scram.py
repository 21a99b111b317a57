"""Verifiers, against the example of RFC 7677."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.scram import make_verifier, verifies

SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
KEYS = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
PENCIL = f"SCRAM-SHA-256$4096:{SALT}${KEYS}"


def test_the_standards_example() -> None:
    assert make_verifier("pencil", salt=base64.b64decode(SALT)) == PENCIL


@pytest.mark.parametrize(
    ("password", "verifier", "expected"),
    [
        ("pencil", PENCIL, True),
        ("Pencil", PENCIL, False),
        ("", PENCIL, False),
        ("pencil", "md5" + "0" * 32, False),
        ("pencil", PENCIL[:-1], False),
        ("pencil", "", False),
    ],
)
def test_only_the_password_it_was_made_from_verifies(password: str, verifier: str, expected: bool) -> None:
    assert verifies(password, verifier) is expected


def test_every_verifier_has_a_salt_of_its_own() -> None:
    first, second = make_verifier("pencil"), make_verifier("pencil")
    assert first != second
    assert verifies("pencil", first)
    assert verifies("pencil", second)


def test_a_password_beyond_ascii_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        make_verifier("Bleistift-ß")
