"""The chain of hashes over the log: every kind of tampering is found, and the first bad row is named."""

from __future__ import annotations

import random
import re
import threading
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from art32_platform.activity.chain import head, read_head, verify
from art32_platform.activity.models import Activity, Chained

from .conftest import as_if_committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.db.backends.utils import CursorWrapper

ROWS = 60
KINDS = ("edit", "delete", "reorder", "insert", "cut")
TAMPERINGS = 100


def write(number: int) -> None:
    for each in range(number):
        Activity.objects.create(action="view", account=f"{each}@example.test", detail={"path": f"/{each}/", "ü": "密"})
    as_if_committed()


@pytest.fixture
def superuser(db: None) -> Iterator[CursorWrapper]:
    """A hand that no trigger holds back."""
    write(ROWS)
    with connection.cursor() as cursor:
        for table in ("activity_activity", "activity_link"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        yield cursor


def edit(cursor: CursorWrapper, ids: list[int], at: int, rng: random.Random) -> int:
    column, value = rng.choice(
        [
            ("account", "'nobody@example.test'"),
            ("origin", "'192.0.2.99'"),
            ("at", "at - interval '1 microsecond'"),
            ("action", "'login'"),
            ("kind", "'customers.contact'"),
            ("record", "'other'"),
            ("entity", "gen_random_uuid()"),
            ("detail", "'{}'"),
            ("database_role", "'other'"),
        ]
    )
    cursor.execute(f"UPDATE activity_activity SET {column} = {value} WHERE id = %s", [ids[at]])
    return ids[at]


def delete(cursor: CursorWrapper, ids: list[int], at: int, rng: random.Random) -> int:
    cursor.execute("DELETE FROM activity_activity WHERE id = %s", [ids[at]])
    if rng.random() < 0.5:
        cursor.execute("DELETE FROM activity_link WHERE activity_id = %s", [ids[at]])
        return ids[at + 1]  # the first that does not follow the one before
    return ids[at]


def reorder(cursor: CursorWrapper, ids: list[int], at: int, rng: random.Random) -> int:
    other = rng.randrange(at + 1, len(ids))
    for old, new in ((at, -1), (other, ids[at]), (-1, ids[other])):
        cursor.execute("UPDATE activity_activity SET id = %s WHERE id = %s", [new, ids[old] if old >= 0 else -1])
    return ids[at]


def insert(cursor: CursorWrapper, ids: list[int], at: int, rng: random.Random) -> int:
    new = -rng.randrange(1, 10**9)
    cursor.execute(
        "INSERT INTO activity_activity (id, at, account, database_role, action, kind, record, detail)"
        " SELECT %s, at, 'forged', 'x', 'view', '', '', '{}' FROM activity_activity WHERE id = %s",
        [new, ids[at]],
    )
    if rng.random() < 0.5:  # with room made in the chain for it
        cursor.execute("UPDATE activity_link SET number = -number WHERE activity_id >= %s", [ids[at]])
        cursor.execute("UPDATE activity_link SET number = 1 - number WHERE number < 0")
        cursor.execute("INSERT INTO activity_link VALUES (%s, %s, %s)", [at + 1, new, "0" * 64])
    return new


def cut(cursor: CursorWrapper, ids: list[int], at: int, rng: random.Random) -> int:
    cursor.execute("DELETE FROM activity_activity WHERE id >= %s", [ids[at]])
    cursor.execute("DELETE FROM activity_link WHERE activity_id >= %s", [ids[at]])
    return at + 1  # a link's number: the row itself is gone without a trace


@pytest.mark.parametrize("seed", range(TAMPERINGS))
def test_tampering_is_found_and_the_first_bad_row_named(superuser: CursorWrapper, seed: int) -> None:
    kept = head(connection)
    assert not verify(connection, [kept]).problem
    rng = random.Random(seed)
    kind: Callable[[CursorWrapper, list[int], int, random.Random], int] = globals()[KINDS[seed % len(KINDS)]]
    ids = list(Activity.objects.order_by("id").values_list("id", flat=True))
    bad = kind(superuser, ids, rng.randrange(1, len(ids) - 2), rng)
    verdict = verify(connection, [kept])
    assert verdict.problem
    assert bad == (verdict.link if kind is cut else verdict.row)


def test_chain_that_was_made_anew_differs_from_a_kept_head(superuser: CursorWrapper) -> None:
    kept = head(connection)
    first = Activity.objects.earliest("id")
    superuser.execute("UPDATE activity_activity SET account = 'nobody' WHERE id = %s", [first.pk])
    rows = list(Chained.objects.order_by("number").values_list("activity_id", flat=True))
    superuser.execute("DELETE FROM activity_link")
    superuser.execute("ALTER TABLE activity_activity ENABLE ALWAYS TRIGGER activity_chain")
    for row in rows:  # as the trigger would have done it
        superuser.execute("CREATE TEMPORARY TABLE one AS SELECT * FROM activity_activity WHERE id = %s", [row])
        superuser.execute("DELETE FROM activity_activity WHERE id = %s", [row])
        superuser.execute("INSERT INTO activity_activity OVERRIDING SYSTEM VALUE SELECT * FROM one")
        superuser.execute("DROP TABLE one")
        as_if_committed()
    assert not verify(connection).problem
    assert "kept" in verify(connection, [kept]).problem


def test_command_names_the_first_bad_row(superuser: CursorWrapper, tmp_path: pytest.TempPathFactory) -> None:
    out = StringIO()
    call_command("activity_head", stdout=out)
    kept = out.getvalue().strip()
    assert re.fullmatch(rf"{ROWS}:[0-9a-f]{{64}}", kept)
    call_command("verify_activity", "--head", kept, stdout=out)
    assert '"intact": true' in out.getvalue()
    bad = Activity.objects.order_by("id")[30].pk
    superuser.execute("UPDATE activity_activity SET account = 'nobody' WHERE id >= %s", [bad])
    with pytest.raises(CommandError, match=rf"First bad: row {bad}: the row differs"):
        call_command("verify_activity", stdout=out)


def test_kept_heads_are_read_from_lines_with_their_time(
    superuser: CursorWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"2026-11-24T10:00:00+00:00 {head(connection)}\n\n"
    (tmp_path / "kept").write_text(lines)
    call_command("verify_activity", "--heads", str(tmp_path / "kept"), stdout=StringIO())
    ids = list(Activity.objects.order_by("id").values_list("id", flat=True))
    link = cut(superuser, ids, ROWS - 3, random.Random(0))
    call_command("verify_activity", stdout=StringIO())  # what is left is whole
    monkeypatch.setattr("sys.stdin", StringIO(lines))
    for source in (str(tmp_path / "kept"), "-"):
        with pytest.raises(CommandError, match=rf"First bad: link {link}: the log ends with link {link - 1}"):
            call_command("verify_activity", "--heads", source, stdout=StringIO())


@pytest.mark.parametrize("text", ["", "x", "12", "12:short", ":", "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(db: None, text: str) -> None:
    with pytest.raises(ValueError, match="is no head"):
        read_head(text)
    with pytest.raises(CommandError):
        call_command("verify_activity", "--head", text or "?")


def test_empty_log_is_whole(db: None) -> None:
    assert str(head(connection)) == "0:"
    assert not verify(connection, [read_head("0:")]).problem


def test_links_cannot_be_forged(db: None) -> None:
    write(1)
    for statement in (
        "INSERT INTO activity_link VALUES (2, 99, 'x')",
        "UPDATE activity_link SET hash = 'x'",
        "DELETE FROM activity_link",
        "TRUNCATE activity_link",
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_chain_has_no_gaps_and_no_deadlocks_when_many_write_at_once(committing: str) -> None:
    problems = []

    def work(number: int) -> None:
        try:
            for each in range(20):
                with transaction.atomic():
                    Activity.objects.create(action="view", account=f"{number}", record=str(each))
                    if each % 5 == 4:
                        Activity.objects.create(action="export", account=f"{number}")
        except DatabaseError as error:
            problems.append(error)
        finally:
            connection.close()

    before = head(connection).number
    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert Chained.objects.count() == before + 6 * 24
    assert not verify(connection).problem
