"""Which connections go on when the rules change."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

RULES = """\
*filter
:INPUT DROP [0:0]
-A INPUT -p tcp -m tcp --dport 9999 -j ACCEPT
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-user-input -s 198.51.100.5/32 -p tcp -m tcp --dport 5432 -j ACCEPT
-A ufw-user-output -p tcp -m tcp --dport 443 -j ACCEPT
COMMIT
"""
# As the kernel of a little-endian machine prints them: one that listens on 5432, four connections to it or from here.
SOCKETS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000 100 0 0 10 0
   1: 0A6433C6:1538 056433C6:C001 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0000 20 4 30 10 -1
   2: 0A6433C6:1538 066433C6:C002 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0000 20 4 30 10 -1
   3: 0A6433C6:C003 066433C6:01BB 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0000 20 4 30 10 -1
   4: 0100007F:1538 0100007F:C004 01 00000000:00000000 00:00000000 00000000     0        0 104 1 0000 20 4 30 10 -1
"""


@pytest.fixture
def found(loader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """For each connection to a listening port, by its inode, whether the rules let it in."""
    (tmp_path / "tcp").write_text(SOCKETS, encoding="ascii")
    monkeypatch.setitem(loader.TCP, "IPv4", str(tmp_path / "tcp"))
    openings = loader.openings({"IPv4": loader.parse(RULES)})
    return {connection.inode: connection.is_allowed(openings) for connection in loader.incoming("IPv4")}


def test_the_declared_openings_are_read(loader: ModuleType) -> None:
    assert loader.openings({"IPv4": loader.parse(RULES)}) == [
        (22, ip_network("0.0.0.0/0")),
        (5432, ip_network("198.51.100.5/32")),
    ]


def test_who_is_allowed_goes_on_and_who_is_not_ends(found: dict[str, bool]) -> None:
    assert found == {"101": True, "102": False, "104": True}


def test_an_address_of_either_family_is_read(loader: ModuleType) -> None:
    assert loader.address_of("0A6433C6") == ip_address("198.51.100.10")
    assert loader.address_of("000032FD00003200000000000A000000") == ip_address("fd32:0:32::a")


def test_ipv4_on_a_socket_for_both_is_ipv4(loader: ModuleType) -> None:
    mapped = loader.address_of("0000000000000000FFFF0000056433C6")
    connection = loader.Connection(mapped, 5432, mapped, 40000, "1")
    assert connection.peer == ip_address("198.51.100.5")
    assert connection.is_allowed([(5432, ip_network("198.51.100.5/32"))])
