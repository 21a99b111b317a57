"""The chain of hashes over the log: whether it is whole, and its head."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["CANONICAL", "Head", "Verdict", "head", "read_head", "verify"]

# What the hash of a row is made of, as one text: of the row `row_now` in SQL, the same for trigger and verification.
# Part of what is stored: never changed, only followed by another version.
CANONICAL = (
    "jsonb_build_array(row_now.id, to_char(row_now.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'),"
    " row_now.account, host(row_now.origin), row_now.database_role, row_now.action, row_now.kind, row_now.record,"
    " row_now.entity, row_now.detail)::text"
)
WALK = Path(__file__).parent / "sql" / "walk.sql"
AT_ONCE = 2000
Row = tuple[int | None, int | None, str, int | None, str]


@dataclass(frozen=True)
class Head:
    """The chain's last link: its number, from 1, and its hash. Number 0 is the empty chain's."""

    number: int
    hash: str

    def __str__(self) -> str:
        """As it is kept elsewhere."""
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verification found. `row` is the first bad row's id, if it has one; `problem` is empty for a whole chain."""

    head: Head
    problem: str = ""
    row: int | None = None
    link: int | None = None


def read_head(text: str) -> Head:
    """Read NUMBER:HASH.

    Raises ValueError for another form.
    """
    number, colon, digest = text.strip().partition(":")
    if not colon or not number.isdecimal() or (int(number) and len(digest) != hashlib.sha256().digest_size * 2):
        raise ValueError(f"{text.strip()!r} is no head; it looks like 12:0f3a..., a number and 64 digits.")
    return Head(int(number), digest)


def head(connection: BaseDatabaseWrapper) -> Head:
    """The last link as it is stored, without verifying anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, hash FROM activity_link ORDER BY number DESC LIMIT 1")
        found = cursor.fetchone()
    return Head(*found) if found else Head(0, "")


def verify(connection: BaseDatabaseWrapper, heads: Iterable[Head] = ()) -> Verdict:
    """Go through the log from its first row, and compare it with heads that were kept elsewhere.

    Rows and links are read in one snapshot; no function of the database's own is asked, so none can lie.
    """
    kept = {known.number: known.hash for known in heads}
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what this transaction wrote has its links, too
        cursor.execute(WALK.read_text(encoding="utf-8").replace("{canonical}", CANONICAL))
        last = Head(0, "")
        while True:
            cursor.execute(f"FETCH {AT_ONCE} FROM walk")
            found = cursor.fetchall()
            for row in found:
                verdict = _judge(last, row, kept)
                if isinstance(verdict, Verdict):
                    cursor.execute("CLOSE walk")
                    return verdict
                last = verdict
            if not found:
                break
        cursor.execute("CLOSE walk")
    missing = max((number for number in kept if number > last.number), default=0)
    if missing:
        text = f"the log ends with link {last.number}; link {missing} was there when a head was kept"
        return Verdict(head=last, problem=text, link=last.number + 1)
    return Verdict(head=last)


def _judge(
    last: Head, row: tuple[int | None, int | None, str, int | None, str], kept: Mapping[int, str]
) -> Head | Verdict:
    """The next head, or what is wrong with this row."""
    number, activity, digest, found, text = row
    if number is None:
        return Verdict(head=last, problem="this row is in no link of the chain", row=found)
    if number != last.number + 1:
        return Verdict(head=last, problem=f"link {last.number + 1} is missing", row=activity, link=last.number + 1)
    if found is None:
        return Verdict(head=last, problem="the row of this link is gone", row=activity, link=number)
    if hashlib.sha256((last.hash + text).encode()).hexdigest() != digest:
        return Verdict(head=last, problem="the row differs from what was recorded", row=activity, link=number)
    if kept.get(number, digest) != digest:
        return Verdict(head=last, problem="the chain differs from a head that was kept", row=activity, link=number)
    return Head(number, digest)
