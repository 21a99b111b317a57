"""The rules are written exactly as ufw itself writes them; `ufw/` holds what ufw 0.36.2 made of the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

TEMPLATES = Path(__file__).parents[3] / "roles/firewall/templates"
WRITTEN_BY_UFW = Path(__file__).parent / "ufw"
RULES = [
    {"service": "ssh", "port": 22, "proto": "tcp", "sources": ["0.0.0.0/0", "::/0"]},
    {
        "service": "postgresql",
        "port": 5432,
        "proto": "tcp",
        "sources": ["198.51.100.0/24", "203.0.113.5/32", "fd32::/32", "fd32:32::5/128"],
    },
    {"service": "wire guard", "port": 51820, "proto": "udp", "sources": ["0.0.0.0/0", "::/0"]},
]


@pytest.mark.parametrize(("family", "name"), [(4, "user.rules"), (6, "user6.rules")])
def test_as_ufw_writes_them(family: int, name: str) -> None:
    # The settings of Ansible's own environment; the output is no HTML.
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), trim_blocks=True, keep_trailing_newline=True)  # noqa: S701
    rendered = jinja.get_template("etc/ufw/user.rules.j2").render(family=family, __firewall_rules=RULES)
    assert rendered == (WRITTEN_BY_UFW / name).read_text(encoding="utf-8")
