"""What runs beside the service: a process, and a job that notes in the database that it ran."""

from __future__ import annotations

import signal

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
