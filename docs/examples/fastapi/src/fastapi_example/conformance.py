"""What this application says of itself: it asks its own router and its own database."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from . import HELP_ADDRESS, Policy, app, store


def main() -> None:
    """Print it."""
    with store.connect() as connection:
        members = list(connection.execute("SELECT email, password, staff, active FROM member ORDER BY email"))
        count = connection.execute("SELECT count(*) AS n FROM activity").fetchone()
    # $2b$12$...: the algorithm's letter, then the cost.
    kinds = Counter(f"bcrypt:{int(member['password'].split('$')[2])}" for member in members)
    told = {
        "schema": 1,
        "application": {"name": "fastapi-example", "version": version("fastapi-example")},
        "passwords": {
            "hasher": "bcrypt",
            "minimum_cost": store.COST,
            "hashes": dict(kinds),
            "total": kinds.total(),
            "unusable": 0,
        },
        "urls": [url(route) for route in app.routes],
        "activity": {
            "table": "activity",
            "columns": ["number", "at", "who", "what", "target"],
            "count": count and count["n"],
            "append_only": True,
        },
        "help": {"path": "/help/", "address": HELP_ADDRESS},
        "stores": [{"kind": "postgresql", "database": os.environ["PGDATABASE"], "host": os.environ["PGHOST"]}],
        "members": [
            {"email": one["email"], "staff": one["staff"], "administrator": one["staff"], "active": one["active"]}
            for one in members
        ],
    }
    json.dump(told, sys.stdout)


def url(route: Any) -> dict[str, Any]:
    """One address of the router with its policy, which has to be there."""
    (policy,) = [one.call for one in route.dependant.dependencies if isinstance(one.call, Policy)]
    pattern = re.sub(r"{(\w+)}", r"<\1>", route.path)
    return {"pattern": pattern, "methods": sorted(route.methods), **asdict(policy)}
