"""What this application says of itself: it asks its own router and its own database."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from importlib.metadata import version
from typing import Any

from . import HELP_ADDRESS, app, store


def main() -> None:
    """Print it."""
    with store.connect() as connection:
        members = list(connection.execute("SELECT email, password, staff, active FROM member ORDER BY email"))
        count = connection.execute("SELECT count(*) AS n FROM activity").fetchone()
    # $2b$12$...: the algorithm's letter, then the cost.
    kinds = Counter(f"bcrypt:{int(member['password'].split('$')[2])}" for member in members)
    told = {
        "schema": 1,
        "application": {"name": "flask-example", "version": version("flask-example")},
        "passwords": {
            "hasher": "bcrypt",
            "minimum_cost": store.COST,
            "hashes": dict(kinds),
            "total": kinds.total(),
            "unusable": 0,
        },
        "urls": [url(rule) for rule in app.url_map.iter_rules() if rule.endpoint != "static"],
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


def url(rule: Any) -> dict[str, Any]:
    """One address of the router with what its view says."""
    methods = sorted(set(rule.methods) - {"HEAD", "OPTIONS"})
    return {"pattern": rule.rule, "methods": methods, **app.view_functions[rule.endpoint].policy}
