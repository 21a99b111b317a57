"""The sandbox that the role sets, what a service may loosen of it, and the table for operators are one."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.art32.server.plugins.module_utils.declaration.sandbox import GRANTS, RESTRICTIONS

ROOT = Path(__file__).resolve().parents[3]
ADDRESSES = {"PrivateNetwork", "IPAddressAllow", "IPAddressDeny"}


def test_every_restriction_can_be_loosened() -> None:
    role = yaml.safe_load((ROOT / "roles" / "app" / "vars" / "main.yml").read_text(encoding="utf-8"))
    restrictions = {*role["__app_sandbox"], *role["__app_network_none"], *role["__app_network_some"]}
    assert restrictions - ADDRESSES == RESTRICTIONS


def test_every_directive_is_explained() -> None:
    text = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", text, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == RESTRICTIONS | GRANTS
