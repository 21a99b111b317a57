"""Every output says which program it comes from, and in which version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from controls import sources, tools
from controls.environment import Environment
from controls.evidence import VERSIONS, Store

if TYPE_CHECKING:
    from pathlib import Path

INSTALLED = "".join(
    f"installed {package.replace('[0-9]*', '17')} 1:2-3~deb13u4\n" for package in sorted(set(tools.PACKAGES.values()))
)
SERVICE = {
    "name": "platform",
    "domain": "platform.example.test",
    "database": "platform",
    "on": "all",
    "conformance": ["conformance"],
    "talks_to": ["mail.example.test:25"],
    "source": {"checkout": "."},
    "application": {"wsgi": "a:b"},
}


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, str]:
    """All that is asked of a host with every part."""
    groups = {part: ["server"] for part in ("all", "database", "web", "app", "backup")}
    network = {"network_management": ["192.0.2.0/24"], "network_exposure": []}
    variables: dict[str, Any] = {"art32_environment": "unit", "services": [SERVICE], "people": [], **network}
    environment = Environment(directory=tmp_path, groups=groups, hostvars={"server": variables})
    return {**sources.for_host(environment, "server"), **sources.later(environment, "server")}


def test_every_command_has_a_known_tool(commands: dict[str, str]) -> None:
    assert len(commands) > 20
    assert not [name for name, command in commands.items() if not tools.of_command(command, INSTALLED)]


def test_a_tool_is_told_with_its_version() -> None:
    assert tools.of_command("sshd -T", INSTALLED) == "openssh-server 1:2-3~deb13u4"
    assert tools.of_command("runuser -u postgres -- psql -XAtq", INSTALLED) == "postgresql-17 1:2-3~deb13u4"
    assert tools.of_command("assshd -T", INSTALLED) == ""


def test_the_index_names_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(host="server", name=VERSIONS, command=tools.VERSIONS, rc=0, stdout=INSTALLED)
    store.keep(host="server", name="sshd-effective", command="sshd -T", rc=0, stdout="port 22\n")
    store.keep(host="visitor", name="ports", command="TCP connect", rc=0, stdout="", tool="Python 3.11.2")
    store.write_index()
    index = {entry["name"]: entry for entry in json.loads((tmp_path / "raw/index.json").read_text(encoding="utf-8"))}
    assert index["sshd-effective"]["tool"] == "openssh-server 1:2-3~deb13u4"
    assert index["ports"]["tool"] == "Python 3.11.2"
    assert Store.recalled(tmp_path).find("visitor", "ports") == store.find("visitor", "ports")
