"""Datasette as its documentation has it served by an ASGI server."""

from __future__ import annotations

from datasette.app import Datasette

datasette = Datasette([], memory=True, settings={"default_allow_sql": False})
application = datasette.app()
