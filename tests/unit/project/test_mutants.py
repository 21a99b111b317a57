"""The faults that the audit has to see are made of what the roles manage, and the controls they name exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from controls.catalogue import load
from plugins.module_utils.transaction.model import pack
from tests.mutants import objects, operations

if TYPE_CHECKING:
    from pathlib import Path

RULES = b"-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n-A ufw-user-input -p tcp --dport 5432 -s 192.0.2.5 -j ACCEPT\n"
FIREWALL = {
    "name": "firewall",
    "packages": ["ufw"],
    "files": [{"dest": "/etc/ufw/user.rules"}],
    "contents": pack({"/etc/ufw/user.rules": RULES}),
    "units": [{"name": "ufw.service", "enabled": True}],
}
SSHD = {
    "name": "sshd",
    "files": [{"dest": "/etc/ssh/sshd_config"}, {"dest": "/etc/ssh/principals/joe"}, {"dest": "/etc/new"}],
    "contents": pack({"/etc/ssh/sshd_config": b"PermitRootLogin no\nMaxSessions 10\nSubsystem sftp internal-sftp\n"}),
    "owns": ["/etc/ssh/principals/*"],
}
NGINX = {
    "name": "nginx",
    "files": [{"dest": "/etc/logrotate.d/nginx"}, {"dest": "/etc/nginx/link", "link": "x"}],
    "units": [{"name": "nginx.service", "enabled": True, "state": "started"}],
    "owns": ["/etc/systemd/system/nginx.service.d/*"],
}
ACCOUNTS = {"people": [{"name": "jane", "ssh": "admin"}, {"name": "joe", "ssh": "user"}]}


def noted(directory: Path) -> list[objects.Object]:
    notes: list[dict[str, Any]] = [
        {"module": "transaction", "arguments": FIREWALL},
        {"module": "transaction", "arguments": SSHD},
        {"module": "accounts", "arguments": ACCOUNTS},
        {"module": "once", "arguments": {"creates": "/etc/x"}},
        {"differs": "something"},
    ]
    for number, note in enumerate(notes):
        (directory / f"{number}.json").write_text(json.dumps(note), encoding="utf-8")
    return objects.read(directory)


def test_objects_are_read_from_what_the_roles_ask_for(tmp_path: Path) -> None:
    assert {str(one) for one in noted(tmp_path)} == {
        *("file /etc/ufw/user.rules", "rules IPv4", "package ufw", "unit ufw.service"),
        "rule IPv4 ufw-user-input -p tcp --dport 22 -j ACCEPT",
        "rule IPv4 ufw-user-input -p tcp --dport 5432 -s 192.0.2.5 -j ACCEPT",
        *("file /etc/ssh/sshd_config", "setting PermitRootLogin", "principals joe", "file /etc/new"),
        *("place /etc/ssh/principals/*", "account jane", "account joe"),
    }


def test_every_object_has_a_mutant_or_is_named(tmp_path: Path) -> None:
    found = noted(tmp_path)
    assert operations.without_mutant(found) == ["package ufw", "file /etc/new"]
    made = {str(mutant): mutant for mutant in operations.mutants(found)}
    limited = made["rule IPv4 ufw-user-input -p tcp --dport 5432 -s 192.0.2.5 -j ACCEPT: changed"]
    assert limited.controls == {"NET-1", "NET-2"}
    assert "-A ufw-user-input -p tcp --dport 5432 -j ACCEPT;" in limited.script
    unlimited = made["rule IPv4 ufw-user-input -p tcp --dport 22 -j ACCEPT: changed"]
    assert unlimited.shuts_out
    assert "-A ufw-user-input -p tcp --dport 22 -s 192.0.2.0/24 -j ACCEPT;" in unlimited.script


def test_what_is_behind_the_way_in_has_mutants_of_every_kind(tmp_path: Path) -> None:
    note = {"module": "transaction", "arguments": NGINX}
    access = {"module": "postgresql_access", "arguments": {"databases": ["x"], "people": [{"name": "jane"}]}}
    for number, one in enumerate((note, access)):
        (tmp_path / f"{number}.json").write_text(json.dumps(one), encoding="utf-8")
    made = {str(mutant): sorted(mutant.controls) for mutant in operations.mutants(objects.read(tmp_path, "web"))}
    of_nginx = {name: controls for name, controls in made.items() if "nginx" in name}
    assert of_nginx == {
        **{
            f"file /etc/logrotate.d/nginx on web: {way}": ["LOG-2"] for way in ("removed", "changed", "opened", "owned")
        },
        **{f"file /etc/nginx/link on web: {way}": ["TLS-1"] for way in ("removed", "changed")},
        **{f"unit nginx.service on web: {way}": ["TLS-1"] for way in ("disabled", "masked")},
        "unit nginx.service on web: stopped": ["ACC-3", "JOB-1", "LOG-2", "NET-1", "TLS-1"],
        "place /etc/systemd/system/nginx.service.d/* on web: added": ["TLS-1"],
    }
    assert {"cluster main on web: overridden", "database x on web: opened", "login jane on web: changed"} <= made.keys()


def test_a_change_belongs_to_the_object_it_names(tmp_path: Path) -> None:
    mutant = next(one for one in operations.mutants(noted(tmp_path)) if str(one) == "principals joe: removed")
    assert mutant.concerns("Make /etc/ssh/principals/joe")
    assert mutant.concerns("Reload-or-restart ssh.service")
    assert not mutant.concerns("Change the content of /etc/ssh/user_ca.pub")


def test_the_table_names_controls_of_the_catalogue() -> None:
    for entry in yaml.safe_load(operations.TABLE.read_text(encoding="utf-8")):
        assert {name.partition(" on ")[0] for name in entry.get("controls", ())} <= load().keys()
        assert bool(entry.get("controls")) != bool(entry.get("shuts_out"))
