"""The checks are imported here, not run, so their marker is all that they need of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "control(id, kind): this test is a check of a control of the catalogue")
