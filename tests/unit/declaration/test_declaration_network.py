"""What the network declaration opens on each host, and what it may not say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import (
    DeclarationError,
    check_exposure,
    check_management,
    exposure,
)

MANAGEMENT = ["198.51.100.5/32", "fd32:32::5"]
GROUPS = {"all": ["server", "backup", "probe"], "database": ["server"], "web": ["server"], "app": ["server"]} | {
    "backup_repository": ["backup"],
    "vantage_visitor": ["probe"],
}
HOSTVARS: dict[str, dict[str, Any]] = {
    "backup": {"network_addresses": ["203.0.113.11", "2001:db8::11"]},
    "server": {"ansible_host": "203.0.113.10"},
}
SSH = {"service": "ssh", "port": 22, "from": "anywhere", "on": "all"}
WORLD = ["0.0.0.0/0", "::/0"]


def opened(rules: list[dict[str, Any]], host: str = "server") -> dict[int, list[str]]:
    return {rule["port"]: rule["sources"] for rule in exposure(rules, MANAGEMENT, GROUPS, host, HOSTVARS)}


@pytest.mark.parametrize(
    ("rule", "host", "expected"),
    [
        (SSH, "server", {22: WORLD}),
        (SSH, "backup", {22: WORLD}),
        (SSH, "probe", {}),
        (SSH | {"on": "web"}, "backup", {}),
        (SSH | {"from": "management"}, "server", {22: ["198.51.100.5/32", "fd32:32::5/128"]}),
        (SSH | {"from": "group:backup_repository"}, "server", {22: ["203.0.113.11/32", "2001:db8::11/128"]}),
        (SSH | {"from": "group:database"}, "backup", {22: ["203.0.113.10/32"]}),
        (SSH | {"from": ["10.0.0.0/8"]}, "server", {22: ["10.0.0.0/8"]}),
        ({"service": "ssh", "port": 22, "from": "anywhere", True: "all"}, "server", {22: WORLD}),
    ],
)
def test_opens_exactly_what_is_declared(rule: dict[str, Any], host: str, expected: dict[int, list[str]]) -> None:
    assert opened([rule], host) == expected


def test_two_rules_of_one_port_are_one() -> None:
    rules = [SSH | {"from": ["10.2.0.0/16"]}, SSH | {"from": ["10.1.0.0/16", "10.2.0.0/16"]}]
    assert opened(rules) == {22: ["10.1.0.0/16", "10.2.0.0/16"]}


def test_families_follow_the_sources() -> None:
    rules = [SSH | {"from": ["10.1.0.0/16"]}, SSH | {"service": "x", "port": 23, "from": ["fd32::/16"]}]
    found = exposure(rules, MANAGEMENT, GROUPS, "server", HOSTVARS)
    assert [rule["families"] for rule in found] == [[4], [6]]


def test_a_group_without_hosts_opens_nothing() -> None:
    assert exposure([SSH | {"from": "group:web"}], MANAGEMENT, GROUPS | {"web": []}, "server", HOSTVARS) == []


def test_a_source_without_an_address_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"network_addresses of host server.*addresses"):
        exposure([SSH | {"from": "group:web"}], MANAGEMENT, GROUPS, "server", {"server": {"ansible_host": "by-name"}})


RULES = [
    ({"port": 70000}, "network_exposure[0].port: 70000 is not allowed; a TCP port from 1 to 65535"),
    ({"port": 0}, "network_exposure[0].port: 0 is not allowed; a TCP port from 1 to 65535"),
    ({"port": True}, "network_exposure[0].port: true is not allowed; a TCP port from 1 to 65535"),
    ({"proto": "icmp"}, "network_exposure[0].proto: icmp is not allowed; tcp or udp"),
    (
        {"on": "wbe"},
        "network_exposure[0].on: wbe is not allowed; all or a group of the inventory (did you mean web?)",
    ),
    (
        {"from": "group:databse"},
        (
            "network_exposure[0].from: group:databse is not allowed;"
            " anywhere, management, group:NAME or a list of networks (did you mean database?)"
        ),
    ),
    (
        {"from": ["10.0.0.0/33"]},
        (
            "network_exposure[0].from[0]: 10.0.0.0/33 is not allowed;"
            " an address or a network like 198.51.100.5/32 or fd32:32::/64"
        ),
    ),
    ({"ports": 22}, "network_exposure[0].ports: unknown; did you mean port?"),
]


@pytest.mark.parametrize(("change", "message"), RULES)
def test_refuses_impossible_rules(change: dict[str, Any], message: str) -> None:
    assert [str(problem) for problem in check_exposure([SSH | change], GROUPS)] == [message]


def test_refuses_two_names_for_one_port() -> None:
    found = check_exposure([SSH, SSH | {"service": "git"}], GROUPS)
    message = "network_exposure[1].service: git is not allowed; port 22 is already declared as ssh"
    assert [str(problem) for problem in found] == [message]


A_LIST = "a list of at least one network: an address or a network like 198.51.100.5/32 or fd32:32::/64"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], f"network_management: [] is not allowed; {A_LIST}"),
        ("10.0.0.1", f"network_management: 10.0.0.1 is not allowed; {A_LIST}"),
        (
            ["10.0.0.0/33"],
            (
                "network_management[0]: 10.0.0.0/33 is not allowed;"
                " an address or a network like 198.51.100.5/32 or fd32:32::/64"
            ),
        ),
        (["10.0.0.1/24"], "network_management[0]: 10.0.0.1/24 is not allowed; 10.0.0.0/24 or one address of it"),
        (
            ["::/0"],
            (
                "network_management[0]: ::/0 is not allowed; a network of /16 or narrower"
                " (write anywhere in network_exposure when it is meant)"
            ),
        ),
    ],
)
def test_refuses_impossible_management_networks(value: Any, message: str) -> None:  # noqa: ANN401
    assert [str(problem) for problem in check_management(value)] == [message]


def test_the_filter_tells_all_problems_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        exposure([SSH | {"port": 70000}], [], GROUPS, "server")
    assert str(caught.value).count("\n") == 1
