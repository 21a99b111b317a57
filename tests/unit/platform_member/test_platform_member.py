"""What platform_member plans from what is declared and found, and what it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.platform_member import passwords
from ansible_collections.art32.server.plugins.module_utils.platform_member.database import KNOWN
from ansible_collections.art32.server.plugins.module_utils.platform_member.model import (
    Account,
    Declaration,
    Found,
    MemberError,
    Membership,
    State,
)
from ansible_collections.art32.server.plugins.module_utils.platform_member.passwords import (
    hashed,
    is_hash_of,
    is_usable,
    unusable,
)
from ansible_collections.art32.server.plugins.module_utils.platform_member.plan import plan
from ansible_collections.art32.server.plugins.module_utils.platform_member.task import declared

MIGRATIONS = Path(__file__).resolve().parents[3] / "apps" / "platform" / "src" / "art32_platform"
EMPTY: dict[str, Any] = {"people": [], "members": [], "passwords": {}, "exact": "none", "invite": True}
JANE = {"email": "Jane@provider.example", "name": "Jane", "platform": "administrator", "until": None}
ADA = {"email": "ada@customer.example", "name": "Ada", "organisation": "Customer", "role": "editor", "until": None}
SECRET = "never seen in a plan"  # noqa: S105 - of nobody


def texts(declaration: Declaration, state: State) -> list[str]:
    """The plan in words."""
    return [change.text for change in plan(declaration, state)]


def test_first_run_makes_and_invites() -> None:
    declaration = declared({**EMPTY, "people": [JANE], "members": [ADA]})
    assert texts(declaration, State()) == [
        "make organisation Customer",
        "make account jane@provider.example",
        "make account ada@customer.example",
        "ada@customer.example is editor of Customer",
        "invite jane@provider.example",
        "invite ada@customer.example",
    ]


def test_second_run_does_nothing_without_knowing_the_password() -> None:
    declaration = declared({**EMPTY, "people": [JANE], "members": [ADA], "exact": "all"})
    state = State(
        accounts={
            "jane@provider.example": Found(name="Jane", staff=True, administrator=True, password="bcrypt_sha256$x"),  # noqa: S106
            "ada@customer.example": Found(name="Ada", invited=True),
        },
        memberships={("ada@customer.example", "Customer"): (20, None)},
        organisations=frozenset({"Customer"}),
    )
    assert texts(declaration, state) == []


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"administrator": False}, "change account jane@provider.example: administrator yes"),
        ({"active": False, "name": "J"}, "change account jane@provider.example: name Jane, active yes"),
        ({"until": date(2026, 1, 31)}, "change account jane@provider.example: until without end"),
    ],
)
def test_account_is_brought_back(found: dict[str, Any], text: str) -> None:
    there = {"name": "Jane", "staff": True, "administrator": True, "invited": True, **found}
    declaration = declared({**EMPTY, "people": [JANE]})
    assert texts(declaration, State(accounts={"jane@provider.example": Found(**there)})) == [text]


@pytest.mark.parametrize(
    ("exact", "ended"),
    [
        ("none", []),
        (
            "staff",
            [
                "end account eve@provider.example",
                "end the sessions of eve@provider.example",
                "eve@provider.example is nothing of Customer",
            ],
        ),
        (
            "all",
            [
                "end account bob@customer.example",
                "end the sessions of bob@customer.example",
                "end account eve@provider.example",
                "end the sessions of eve@provider.example",
                "bob@customer.example is nothing of Customer",
                "eve@provider.example is nothing of Customer",
            ],
        ),
    ],
)
def test_undeclared_ends_as_far_as_it_is_told(exact: str, ended: list[str]) -> None:
    state = State(
        accounts={"bob@customer.example": Found(invited=True), "eve@provider.example": Found(staff=True, invited=True)},
        memberships={
            ("bob@customer.example", "Customer"): (10, None),
            ("eve@provider.example", "Customer"): (30, None),
        },
        organisations=frozenset({"Customer"}),
    )
    assert texts(Declaration(exact=exact), state) == ended


def test_ended_account_is_left_alone() -> None:
    state = State(accounts={"bob@customer.example": Found(active=False)})
    assert texts(Declaration(exact="all"), state) == []


def test_declared_password_is_set_only_when_it_differs() -> None:
    account = Account(email="audit@provider.example", password=SECRET)
    found = Found(password=hashed(SECRET))
    declaration = Declaration(accounts=(account,))
    assert texts(declaration, State(accounts={account.email: found})) == []
    other = Found(password=hashed("another"))
    assert texts(declaration, State(accounts={account.email: other})) == [
        "set the password of audit@provider.example",
        "end the sessions of audit@provider.example",
    ]


def test_no_password_is_in_what_is_shown() -> None:
    declaration = Declaration(accounts=(Account(email="audit@provider.example", password=SECRET),))
    shown = f"{declaration} {plan(declaration, State())} {Found(password=SECRET)}"
    assert SECRET not in shown
    assert "bcrypt" not in shown


def test_hash_is_as_the_platform_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_cost(cost: int) -> str:
        with monkeypatch.context() as patched:
            patched.setattr(passwords, "COST", cost)
            return passwords.hashed("x" * 100)

    stored = hashed("x" * 100)
    assert stored.startswith("bcrypt_sha256$$2b$12$")
    assert is_hash_of(stored, "x" * 100)
    assert not is_hash_of(stored, "x" * 99 + "y")
    assert not is_hash_of("pbkdf2_sha256$1$a$b", "x")
    assert not is_hash_of(at_cost(10), "x" * 100), "too cheap"
    assert is_hash_of(at_cost(13), "x" * 100), "as the platform made it anew"
    assert is_usable(stored)
    assert not is_usable(unusable())


LATER = (datetime.now(tz=UTC).date() + timedelta(days=91)).isoformat()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"people": [{**JANE, "email": "jane"}]}, "people name 'jane'"),
        ({"people": [{**JANE, "until": "soon"}]}, "until of jane@provider.example is soon"),
        ({"people": [JANE, JANE]}, "people name jane@provider.example twice"),
        ({"members": [{**ADA, "email": "ümlaut@customer.example"}]}, "members name 'ümlaut@customer.example'"),
        ({"members": [{**ADA, "organisation": " "}]}, "organisation of ada@customer.example is empty"),
        ({"members": [ADA, ADA]}, "members name ada@customer.example in Customer twice"),
        (
            {"people": [JANE], "members": [{**ADA, "email": JANE["email"]}]},
            "is missing; access of the",
        ),
        ({"people": [JANE], "members": [{**ADA, "email": JANE["email"], "until": LATER}]}, f"is {LATER}; access"),
        ({"passwords": {"eve@provider.example": SECRET}}, "passwords name eve@provider.example, whom neither"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(MemberError, match=said) as error:
        declared({**EMPTY, **wrong})
    assert SECRET not in str(error.value)


def test_role_of_staff_ends() -> None:
    tomorrow = datetime.now(tz=UTC).date() + timedelta(days=1)
    member = {**ADA, "email": JANE["email"], "until": tomorrow.isoformat()}
    declaration = declared({**EMPTY, "people": [JANE], "members": [member]})
    assert declaration.memberships == (
        Membership(email="jane@provider.example", organisation="Customer", role="editor", until=tomorrow),
    )


@pytest.mark.parametrize("app", KNOWN)
def test_known_schema_is_the_platforms(app: str) -> None:
    newest = max(path.stem for path in (MIGRATIONS / app / "migrations").glob("0*.py"))
    assert KNOWN[app] == newest
