"""The script that loads the rules: what it would feed to iptables-restore, and what it calls a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

EXPECTED = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
LIVE = """\
*filter
:INPUT DROP [12:900]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [7:3]
:DOCKER - [0:0]
:ufw-evil - [0:0]
:ufw-user-input - [0:0]
-A INPUT -p tcp -m tcp --dport 81 -j ACCEPT
-A INPUT -j ufw-user-input
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i eth0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 -j ACCEPT
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-user-input -p tcp -m tcp --dport 82 -j ACCEPT
COMMIT
"""


def test_equal_but_for_counters(loader: ModuleType) -> None:
    busy = EXPECTED.replace("INPUT DROP [0:0]", "INPUT DROP [99:1234]")
    assert loader.differences(loader.parse(EXPECTED), loader.parse(busy)) == []


def test_every_difference_is_named(loader: ModuleType) -> None:
    assert loader.differences(loader.parse(EXPECTED), loader.parse(LIVE)) == [
        "+ ufw-evil -",
        "+ -A FORWARD -i eth0 -j ACCEPT",
        "+ -A INPUT -p tcp -m tcp --dport 81 -j ACCEPT",
        "+ -A ufw-user-input -p tcp -m tcp --dport 82 -j ACCEPT",
    ]


def test_a_missing_rule_and_an_open_policy_are_differences(loader: ModuleType) -> None:
    opened = EXPECTED.replace("INPUT DROP", "INPUT ACCEPT").replace("-A INPUT -j ufw-user-input\n", "")
    assert loader.differences(loader.parse(EXPECTED), loader.parse(opened)) == [
        "- INPUT DROP",
        "+ INPUT ACCEPT",
        "- -A INPUT -j ufw-user-input",
    ]


def test_the_order_of_rules_counts_the_order_of_chains_does_not(loader: ModuleType) -> None:
    other = EXPECTED.replace(
        "-A INPUT -j ufw-user-input\n-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT\n",
        "-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j ufw-user-input\n",
    )
    assert loader.differences(loader.parse(EXPECTED), loader.parse(other)) == []
    swapped = loader.parse(LIVE.replace("--dport 22", "--dport 83").replace("--dport 82", "--dport 22"))
    assert loader.differences(loader.parse(LIVE), swapped)


def test_one_commit_replaces_what_is_ours_and_keeps_what_is_not(loader: ModuleType) -> None:
    lines = loader.replacement(loader.parse(EXPECTED), loader.parse(LIVE)).splitlines()
    assert lines == [
        "*filter",
        ":INPUT DROP [0:0]",
        ":FORWARD DROP [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":ufw-user-input - [0:0]",
        ":ufw-evil - [0:0]",
        "-F INPUT",
        "-F FORWARD",
        "-F OUTPUT",
        "-A FORWARD -o docker0 -j DOCKER",
        "-A INPUT -j ufw-user-input",
        "-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
        "-X ufw-evil",
        "COMMIT",
    ]


def test_a_table_nobody_touched_accepts_everything(loader: ModuleType) -> None:
    assert loader.with_built_in(loader.parse("")).chains == {"INPUT": "ACCEPT", "FORWARD": "ACCEPT", "OUTPUT": "ACCEPT"}
