"""The database server against the CIS PostgreSQL Benchmark: every row of the table in vars holds, or is waived."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from controls.machine import Machine

TABLE = yaml.safe_load((Path(__file__).parent / "vars" / "cis_postgresql.yml").read_text(encoding="utf-8"))
WAIVERS: dict[str, dict[str, str]] = TABLE["waivers"]
MOST_WAIVERS = 8
SETTINGS = "SELECT json_object_agg(name, current_setting(name)) FROM pg_settings"


def ask(server: Machine, statement: str, database: str = "postgres") -> str:
    """What the server answers its own account."""
    return str(server.check_output("runuser -u postgres -- psql -XAtq -d %s -c %s", database, statement))


@pytest.fixture(scope="module")
def settings(server: Machine) -> dict[str, str]:
    """Every setting in force."""
    return dict(json.loads(ask(server, SETTINGS)))


def answer(server: Machine, row: dict[str, Any], settings: dict[str, str]) -> str:
    """What the row's question is answered with."""
    if "setting" in row:
        return settings.get(row["setting"], "")
    if "sql" in row:
        return ask(server, row["sql"], row.get("database", "postgres"))
    return str(server.run(row["command"]).stdout).strip()


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda row: f"{row['id']} {row['says']}")
def test_every_recommendation_holds_or_is_waived(
    server: Machine, settings: dict[str, str], row: dict[str, Any]
) -> None:
    said = answer(server, row, settings)
    holds = re.fullmatch(row["is"], said) is not None
    # A waiver that is not needed goes.
    assert holds != (row["id"] in WAIVERS), f"CIS {row['id']}, {row['says']}: {said!r}; {row['is']} is wanted"


def test_few_are_waived_and_each_with_reason_and_owner() -> None:
    assert len(WAIVERS) <= MOST_WAIVERS
    assert {row["id"] for row in TABLE["rows"]} >= set(WAIVERS)
    assert all(waiver["owner"] and waiver["reason"] for waiver in WAIVERS.values())
