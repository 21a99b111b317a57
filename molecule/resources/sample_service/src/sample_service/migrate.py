"""Note in the database which release migrated it, and as whom."""

from __future__ import annotations

import psycopg

from sample_service import MIGRATION_FAILS, RELEASE


def main() -> None:
    """Migrate, or fail as built."""
    with psycopg.connect() as connection:
        connection.execute(
            "create table if not exists migration (number serial primary key, release text not null, who text not null)"
        )
        connection.execute("insert into migration (release, who) values (%s, session_user)", [RELEASE])
        if MIGRATION_FAILS:
            raise RuntimeError("built to fail its migration")


if __name__ == "__main__":
    main()
