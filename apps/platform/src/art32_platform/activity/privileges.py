"""Who may do what with the log's table, beyond what its triggers forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections

from art32_platform.activity.models import Activity, Chained
from art32_platform.environment import login_role

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["TRIGGERS", "is_append_only", "revoke_after_migration"]

LOG, LINKS = Activity._meta.db_table, Chained._meta.db_table  # noqa: SLF001 - Django's documented interface
TRIGGERS = {
    LOG: ("activity_stamp", "activity_no_change", "activity_no_truncation", "activity_chain"),
    LINKS: ("activity_link_insert", "activity_link_no_change", "activity_link_no_truncation"),
}
FORBIDDEN = {LOG: ("UPDATE", "DELETE", "TRUNCATE"), LINKS: ("INSERT", "UPDATE", "DELETE", "TRUNCATE")}


def revoke_after_migration(using: str, **_: Any) -> None:  # noqa: ANN401 - a signal's arguments
    """Leave the login role INSERT and SELECT on the log, SELECT on its chain.

    What an owner's default privileges gave beyond that is taken away.

    Runs after every `migrate`, not once: whoever grants anew cannot widen it for longer than to the next release.
    Nothing happens when the role does not exist or migrates itself.
    """
    connection = connections[using]
    role = login_role()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", [role])
        if cursor.fetchone():
            quote = connection.ops.quote_name
            for table, privileges in FORBIDDEN.items():
                cursor.execute(f"REVOKE {', '.join(privileges)} ON {quote(table)} FROM {quote(role)}")


def is_append_only(connection: BaseDatabaseWrapper) -> bool:
    """Whether the triggers are there and always fire, and who asks may not change the table either.

    Asked by the table's owner or a superuser, privileges say nothing: only the triggers count then.
    """
    with connection.cursor() as cursor:
        for table, triggers in TRIGGERS.items():
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = ANY(%s) AND tgenabled = 'A'",
                [table, list(triggers)],
            )
            if cursor.fetchone()[0] != len(triggers):
                return False
            cursor.execute(
                "SELECT pg_has_role(current_user, relowner, 'MEMBER') OR NOT has_table_privilege(oid, %s)"
                " FROM pg_class WHERE oid = %s::regclass",
                [", ".join(FORBIDDEN[table]), table],
            )
            if not cursor.fetchone()[0]:
                return False
    return True
