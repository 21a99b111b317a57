"""The script that the role installs, as a module."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "roles/firewall/files/usr/local/lib/art32/firewall"


@pytest.fixture(scope="module")
def loader() -> ModuleType:
    source = SourceFileLoader("art32_firewall", str(SCRIPT))
    spec = spec_from_loader(source.name, source)
    assert spec
    module = module_from_spec(spec)
    sys.modules[source.name] = module
    source.exec_module(module)
    return module
