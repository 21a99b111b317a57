"""The management moves to another address: one run lets the new one in, and the old one out, its open session too.

side_effect.yml runs this once; the site's tests are made more often.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from test_site import playbook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

PORT = 5432
PATIENCE = 30  # seconds
SESSIONS = "runuser -u postgres -- psql -XAtc \"select count(*) from pg_stat_activity where client_addr = '{}'\""


@pytest.fixture
def environment(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("environment")).resolve()


def login(vantage: Machine, server: Machine, address: str) -> psycopg.Connection[Any]:
    """Log in to the database as a person does, from a vantage."""
    host, port = vantage.way(address, PORT)
    password = server.variable("postgresql_passwords")["jane"]
    return psycopg.connect(
        host=host, port=port, user="jane", password=password, dbname="platform", sslmode="require", connect_timeout=20
    )


def reaches(vantage: Machine, address: str) -> bool:
    return bool(vantage.run(f"nc -z -w 3 {address} {PORT}").rc == 0)


@contextmanager
def let_through(server: Machine) -> Iterator[None]:
    """The firewall out of the way, as if somebody had opened it."""
    rule = f"INPUT -p tcp --dport {PORT} -j ACCEPT"
    for family in ("iptables", "ip6tables"):
        server.check_output(f"{family} -I {rule}")
    yield
    for family in ("iptables", "ip6tables"):
        server.check_output(f"{family} -D {rule}")


def test_visitors_are_kept_out_by_the_firewall_and_by_pg_hba_each_alone(server: Machine, visitor: Machine) -> None:
    assert not any(reaches(visitor, address) for address in server.addresses)
    with let_through(server):
        for address in server.addresses:
            assert reaches(visitor, address)
            with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
                login(visitor, server, address)
    assert not any(reaches(visitor, address) for address in server.addresses)


def test_one_run_moves_the_management(
    environment: Path, server: Machine, management: Machine, visitor: Machine
) -> None:
    old = {address: login(management, server, address) for address in server.addresses}
    assert not any(reaches(visitor, address) for address in server.addresses)
    moved = {"network_management": [f"{own}/{128 if ':' in own else 32}" for own in visitor.addresses]}
    try:
        done = playbook(environment, "site.yml", "-e", json.dumps(moved))
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        for address, session in old.items():
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
            assert not reaches(management, address)
            login(visitor, server, address).close()
        deadline = time.monotonic() + PATIENCE
        while any(server.check_output(SESSIONS.format(own)) != "0" for own in management.addresses):
            assert time.monotonic() < deadline, "A session of the old address goes on."
            time.sleep(0.3)
        with let_through(server):
            for address in server.addresses:
                with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
                    login(management, server, address)
    finally:
        done = playbook(environment, "site.yml")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    for address in server.addresses:
        login(management, server, address).close()
        assert not reaches(visitor, address)
