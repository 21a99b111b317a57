"""What migrations say about the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import migrations

from art32_platform.activity.chain import CANONICAL

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

__all__ = ["install", "record"]

SQL = Path(__file__).parent / "sql"


def install(name: str) -> migrations.RunPython:
    """Run sql/NAME.sql; `{schema}` in it is where the tables are, `{canonical}` what a row's hash is made of.

    There is no way back: the log is append-only.
    """

    def run(_: Any, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ANN401 - Django's historical registry
        with editor.connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            schema = cursor.fetchone()[0]
            text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
            cursor.execute(text.replace("{schema}", schema).replace("{canonical}", CANONICAL))

    return migrations.RunPython(run)


def record(table: str, *, kind: str, entity: str = "", ignore: tuple[str, ...] = ()) -> migrations.RunSQL:
    """Record each insert, change and removal in a table.

    `entity` is the column with the organisation's key; a change of nothing but the columns to ignore leaves no row.
    """
    arguments = ", ".join(f"'{argument}'" for argument in (kind, entity, *ignore))
    return migrations.RunSQL(
        f"CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION activity_record({arguments});"
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER record_activity;",
        f"DROP TRIGGER record_activity ON {table}",
    )
