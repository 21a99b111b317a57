"""Note in the database which release migrated it, and as whom."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psycopg

from sample_service import MIGRATION_FAILS, MIGRATION_HANGS, MIGRATION_NEEDS_STOP, RELEASE

# What says that it cannot run while the service does.
NEEDS_STOP = 75
TABLES = """
create table if not exists migration (number serial primary key, release text not null, who text not null);
create table if not exists work (number serial primary key, release text not null)
"""


def main() -> None:
    """Migrate, or fail as built."""
    if MIGRATION_NEEDS_STOP:
        if "ART32_MAINTENANCE" not in os.environ:
            sys.exit(NEEDS_STOP)
        if not (Path("/run/art32-maintenance") / os.environ["PGDATABASE"]).exists():
            raise RuntimeError("visitors are not told of the maintenance")
    with psycopg.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into migration (release, who) values (%s, session_user)", [RELEASE])
        if MIGRATION_FAILS:
            raise RuntimeError("built to fail its migration")
        if MIGRATION_HANGS:
            signal.pause()


if __name__ == "__main__":
    main()
