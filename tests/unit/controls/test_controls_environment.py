"""How what an environment declares is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controls import environment

if TYPE_CHECKING:
    from pathlib import Path

INVENTORY = """
#!/bin/sh
echo '{"all": {"hosts": ["server"]}, "_meta": {"hostvars": {"server": {
"network_addresses": [{"__ansible_unsafe": "203.0.113.10"}],
"aws_tags": {"Name": {"__ansible_unsafe": "{{ secret }}"}},
"seen": {"__ansible_unsafe": "{{ secret }}"},
"secret": "planted-4711"}}}}'
"""


def test_what_a_dynamic_inventory_was_told_is_a_text_and_no_template(tmp_path: Path) -> None:
    script = tmp_path / "cloud"
    script.write_text(INVENTORY.lstrip(), encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text('of_the_declaration: "{{ secret }} {{ seen }}"\n', encoding="utf-8")
    read = environment.read(tmp_path)
    assert read.addresses("server") == ["203.0.113.10"]
    assert read.get("seen") == "{{ secret }}"
    assert read.get("of_the_declaration") == "planted-4711 {{ secret }}"
