"""What a container engine publishes is seen, whichever way it loads its rules."""

from __future__ import annotations

import pytest

from controls.judges.firewall import published

DOCKER = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 6379 -j DNAT --to-destination 172.17.0.2:6379
COMMIT
"""
NETAVARK = """\
table inet netavark {
    chain nv_2f259bab_10_88_0_0_nm16_dnat {
        ip daddr 10.88.0.0/16 tcp dport 8080 jump NETAVARK-HOSTPORT-SETMARK
        tcp dport 8080 dnat ip to 10.88.0.2:80
    }
}
"""
QUIET = """\
*nat
:PREROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
table ip filter {
    chain INPUT { type filter hook input priority filter; policy drop; }
}
"""


@pytest.mark.parametrize(("rules", "port"), [(DOCKER, "6379"), (NETAVARK, "8080")])
def test_a_published_port_is_found(rules: str, port: str) -> None:
    assert set(published(rules)) == {port}


def test_a_translation_of_every_port_is_found() -> None:
    assert set(published("-A PREROUTING -i eth0 -j DNAT --to-destination 10.0.0.2")) == {"any"}


def test_nothing_is_found_where_nothing_is_published() -> None:
    assert published(QUIET) == {}
