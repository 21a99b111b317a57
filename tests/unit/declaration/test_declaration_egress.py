"""What a host may connect to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import DeclarationError, check_egress, egress


def test_everything_needs_no_rule() -> None:
    assert egress("anywhere") == []


def test_entries_become_rules() -> None:
    declared = [
        {"service": "dns", "port": 53, "proto": "udp", "to": "anywhere"},
        {"service": "relay", "port": 25, "to": ["203.0.113.25", "2001:db8::25/128"]},
    ]
    assert egress(declared) == [
        {"service": "dns", "port": 53, "proto": "udp", "to": ["0.0.0.0/0", "::/0"]},
        {"service": "relay", "port": 25, "proto": "tcp", "to": ["203.0.113.25/32", "2001:db8::25/128"]},
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nowhere", "firewall_egress: nowhere is not allowed; anywhere, or a list of what may be reached"),
        ([{"service": "x", "port": 0, "to": "anywhere"}], "firewall_egress[0].port: 0 is not allowed; a port from 1"),
        ([{"service": "x", "port": 1, "to": []}], "firewall_egress[0].to: [] is not allowed; anywhere or a list"),
        ([{"service": "x", "port": 1, "to": "any", "proto": "gre"}], "firewall_egress[0].proto: gre is not allowed"),
        ([{"service": "x", "prot": 1, "to": "anywhere"}], "firewall_egress[0].prot: unknown; did you mean"),
    ],
)
def test_what_cannot_be_is_refused(value: Any, told: str) -> None:  # noqa: ANN401
    assert any(str(problem).startswith(told) for problem in check_egress(value))
    with pytest.raises(DeclarationError):
        egress(value)
