"""What the playbook hands to the checks: the environment as ansible-inventory would have read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.art32.server.plugins.action.audit import inventory

from controls import environment

EXAMPLE = Path(__file__).parents[3] / "inventories" / "example"
SCRIPT = """
#!/bin/sh
echo '{"web": {"hosts": ["one", "two"]}, "_meta": {"hostvars": {"one": {
"aws_tags": {"Name": "{{ secret }}"}, "number": 5, "share": 0.5, "is_new": true, "nothing": null}}}}'
"""
VARIABLES = """
of_the_declaration: "{{ secret }} {{ aws_tags.Name }}"
day: 2026-11-26
network_exposure: [{name: web, port: 80, on: [web]}]
"""


def handed(directory: Path) -> dict[str, Any]:
    """What a playbook has of an environment when its task runs."""
    init_plugin_loader([])
    loader = DataLoader()
    sources = InventoryManager(loader=loader, sources=[str(directory)])
    manager = VariableManager(loader=loader, inventory=sources)
    hostvars = HostVars(inventory=sources, variable_manager=manager, loader=loader)
    return {"groups": sources.get_groups_dict(), "hostvars": hostvars}


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """An environment of which somebody else tells the hosts."""
    script = tmp_path / "cloud"
    script.write_text(SCRIPT.lstrip(), encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(VARIABLES, encoding="utf-8")
    return tmp_path


@pytest.mark.filterwarnings("ignore:AnsibleCollectionFinder has already been configured")
@pytest.mark.parametrize("name", ["example", "dynamic"])
def test_nothing_is_lost_and_nothing_comes_to_it(name: str, dynamic: Path) -> None:
    directory = dynamic if name == "dynamic" else EXAMPLE
    asked = environment.read(directory)
    told = environment.read(directory, json.dumps(inventory(handed(directory)), sort_keys=True))
    for host, variables in asked.hostvars.items():
        assert told.hostvars[host] == variables
    assert told.hostvars.keys() == asked.hostvars.keys()
    assert told.groups == asked.groups
