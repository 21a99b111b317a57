"""What hosts and environments may not share."""

from __future__ import annotations

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration.network import check_management
from ansible_collections.art32.server.plugins.module_utils.declaration.regions import check_regions
from ansible_collections.art32.server.plugins.module_utils.declaration.site import (
    check_members,
    check_names,
    check_own_addresses,
    check_shared,
    check_watcher,
    texts_of,
)
from ansible_collections.art32.server.plugins.plugin_utils.neighbours import resolve

SERVICES = [{"name": "platform", "domain": "platform.example.test", "aliases": ["www.example.test"]}]
REGIONS = "eu-central-1, eu-west-1, eu-west-3, eu-north-1, eu-south-1, eu-south-2, eusc-de-east-1"


def test_a_host_in_no_group_is_refused() -> None:
    groups = {"all": ["server", "stray"], "web": ["server"]}
    assert [str(problem) for problem in check_members(groups)] == [
        (
            "groups of host stray: [] is not allowed; a host of database, web, app, backup_repository,"
            " vantage_management or vantage_visitor"
        ),
    ]


def test_the_repository_on_the_database_s_host_under_another_name_is_refused() -> None:
    addresses = {"server": ["203.0.113.10", "2001:db8::10"], "backup": ["203.0.113.11", "2001:db8:0::10"]}
    assert [str(problem) for problem in check_own_addresses(addresses, {"database": ["server"]})] == [
        (
            "network_addresses of host backup: 2001:db8:0::10 is not allowed;"
            " an address of its own; the database's host server has this one"
        ),
    ]


def test_a_name_that_leads_elsewhere_is_refused() -> None:
    resolved = {"platform.example.test": ["203.0.113.10"], "www.example.test": ["203.0.113.99"]}
    assert [str(problem) for problem in check_names(SERVICES, ["203.0.113.10"], resolved)] == [
        (
            "services[0].aliases[0]: www.example.test is not allowed;"
            " a name of a web host (203.0.113.10); it leads to 203.0.113.99"
        ),
    ]


def test_a_name_without_an_address_yet_is_no_contradiction() -> None:
    assert check_names(SERVICES, ["203.0.113.10"], {}) == []


def test_names_are_resolved_and_unknown_ones_left_out() -> None:
    assert resolve(["127.0.0.1", "nowhere.invalid"]) == {"127.0.0.1": ["127.0.0.1"]}


def test_a_secret_of_two_environments_is_refused_and_not_shown() -> None:
    own = texts_of("vault_database_passwords", {"jane": "planted-secret-4711", "joe": "own-secret"})
    [problem] = check_shared(own, {"staging": {"vault_other": "planted-secret-4711"}})
    assert str(problem) == (
        "vault_database_passwords.jane: the value (hidden) is not allowed;"
        " a secret of this environment alone; staging has the same"
    )


@pytest.mark.parametrize("wide", ["0.0.0.0/0", "128.0.0.0/1", "::/0", "2000::/3"])
def test_a_management_as_wide_as_the_world_is_refused(wide: str) -> None:
    bits = 16 if ":" in wide else 8
    assert [str(problem) for problem in check_management([wide])] == [
        (
            f"network_management[0]: {wide} is not allowed; a network of /{bits} or narrower"
            " (write anywhere in network_exposure when it is meant)"
        ),
    ]


def test_private_networks_may_be_wide() -> None:
    assert check_management(["10.0.0.0/8", "fd00::/8"]) == []


def test_a_region_outside_the_union_is_refused() -> None:
    assert [str(problem) for problem in check_regions(["eu-central-1", "eu-west-2", "fsn1"])] == [
        f"art32_regions_allowed[1]: eu-west-2 is not allowed; a region inside the European Union, on AWS {REGIONS}",
    ]


@pytest.mark.parametrize("watcher", ["", "backup"])
def test_a_host_apart_may_watch(watcher: str) -> None:
    groups = {"all": ["server", "backup"], "database": ["server"], "backup_repository": ["backup"]}
    assert check_watcher(watcher, groups) == []


@pytest.mark.parametrize("watcher", ["server", "bakcup", "visitor"])
def test_a_host_that_serves_does_not_watch_and_a_vantage_neither(watcher: str) -> None:
    groups = {"all": ["server", "backup", "visitor"], "web": ["server"], "vantage_visitor": ["visitor"]}
    assert [str(problem) for problem in check_watcher(watcher, groups)] == [
        f"watch_host: {watcher} is not allowed; empty, or a host in none of database, web and app: backup"
    ]
