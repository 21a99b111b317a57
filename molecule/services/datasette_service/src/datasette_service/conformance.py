"""What this Datasette says of itself: nobody has an account, everything may be read by everybody."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from datasette_service import datasette


def url(pattern: str) -> dict[str, Any]:
    """One address of the router, which has regular expressions."""
    plain = pattern.removeprefix("^").removesuffix("$")
    path = plain if plain.startswith("/") else f"/{plain}"
    return {"pattern": path, "methods": ["GET"], "policy": "everybody", "login": False, "admin": False}


def main() -> None:
    """Print it."""
    told = {
        "schema": 1,
        "application": {"name": "datasette", "version": version("datasette")},
        "passwords": {"hasher": "none", "minimum_cost": 0, "hashes": {}, "total": 0, "unusable": 0},
        "urls": [url(route.pattern) for route, _ in datasette._routes()],  # noqa: SLF001 - there is no public way
        "activity": {"table": "none", "columns": ["none"], "count": 0, "append_only": False},
        "help": {"path": "/", "address": ""},
        "stores": [{"kind": "memory", "database": "_memory", "host": ""}],
        "members": [],
    }
    json.dump(told, sys.stdout)
