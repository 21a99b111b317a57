"""The environment on the host works, is complete and holds nothing that was not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controls.machine import Machine


def test_the_link_leads_to_a_working_environment(server: Machine) -> None:
    assert server.file("/opt/tool").is_symlink
    version = server.check_output("/opt/tool/bin/python -c 'import idna; print(idna.__version__)'")
    assert f"idna=={version}" in server.file("/opt/tool/requirements.txt").content_string


def test_it_has_its_own_packages_and_no_installer(server: Machine) -> None:
    listed = server.check_output(
        "/opt/tool/bin/python -c 'import importlib.metadata as m; print(*[d.name for d in m.distributions()])'"
    )
    assert listed == "idna"


def test_only_the_current_environment_is_kept(server: Machine) -> None:
    current = server.check_output("readlink -f /opt/tool")
    assert server.check_output("ls -d /opt/tool-*") == current


def test_nobody_but_root_can_change_it(server: Machine) -> None:
    assert server.check_output("find /opt/tool/ ! -type l '(' ! -user root -o -perm /022 ')'") == ""
