"""What runs beside the service: a process, a job that leaves a row in the database, and a look at its rows."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psycopg

from sample_service import PROCESS_CRASHES, RELEASE


def work() -> None:
    """Wait until the process is ended."""
    if PROCESS_CRASHES:
        raise RuntimeError("built to crash as a process")
    signal.sigwait([signal.SIGTERM])


def job() -> None:
    """Leave a row."""
    with psycopg.connect() as connection:
        connection.execute("insert into work (release) values (%s)", [RELEASE])


def tell() -> None:
    """Say who it is to which database, and how many credentials it has."""
    with psycopg.connect() as connection:
        user, rows = connection.execute("select session_user, count(*) from migration").fetchone() or ("", 0)
    credentials = sorted(path.name for path in Path(os.environ["CREDENTIALS_DIRECTORY"]).iterdir())
    told = {"user": user, "rows": rows, "host": os.environ["PGHOST"], "credentials": credentials}
    json.dump(told, sys.stdout)
