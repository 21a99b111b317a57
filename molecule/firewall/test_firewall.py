"""The loaded rules are the declared ones, and behave like it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controls.judges.firewall import published
from controls.sources import TRANSLATIONS

if TYPE_CHECKING:
    from controls.environment import Environment
    from controls.machine import Machine

PUBLIC = {22, 80, 443}
LISTENING = {22, 80, 443, 5432, 9999}
UFWS_OWN = """
set -e
stage=$(mktemp -d /root/stage.XXXX)
mkdir -p $stage/etc/default $stage/lib/ufw
cp -r /etc/ufw $stage/etc/
cp /etc/default/ufw $stage/etc/default/
sed -i s/ENABLED=yes/ENABLED=no/ $stage/etc/ufw/ufw.conf
ufw --datadir=$stage logging low >/dev/null
cmp /etc/ufw/user.rules $stage/etc/ufw/user.rules
cmp /etc/ufw/user6.rules $stage/etc/ufw/user6.rules
rm -r $stage
"""


def answering(vantage: Machine, address: str, expected: set[int]) -> set[int]:
    """The ports that answer; a busy machine may need a second try for one that should, none is forgiven."""
    found: set[int] = set()
    for _ in range(3):
        met = vantage.try_ports("ports", [(address, port) for port in sorted(LISTENING)]).text
        found |= {int(port) for _, port, outcome in map(str.split, met.splitlines()) if outcome == "open"}
        if found >= expected:
            break
    return found


def test_something_listens_on_every_port(server: Machine) -> None:
    for address in ("127.0.0.1", "::1"):
        assert answering(server, address, LISTENING) == LISTENING


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_what_the_visitor_reaches(server: Machine, visitor: Machine, family: int) -> None:
    assert answering(visitor, server.addresses[family], PUBLIC) == PUBLIC


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_what_the_management_reaches(server: Machine, management: Machine, family: int) -> None:
    expected = PUBLIC | {5432}
    assert answering(management, server.addresses[family], expected) == expected


def test_the_live_rules_are_those_of_ufws_files(server: Machine) -> None:
    assert server.check_output("/usr/local/lib/art32/firewall compare") == ""
    # It sees a difference when there is one.
    server.check_output("iptables -A INPUT -p tcp --dport 7 -j ACCEPT")
    try:
        assert "+ IPv4 -A INPUT -p tcp -m tcp --dport 7 -j ACCEPT" in server.check_output(
            "/usr/local/lib/art32/firewall compare"
        )
    finally:
        server.check_output("iptables -D INPUT -p tcp --dport 7 -j ACCEPT")


def test_ufw_shows_the_rules(server: Machine) -> None:
    status = server.check_output("ufw status verbose")
    assert "Status: active" in status
    assert "Default: deny (incoming), deny (outgoing), deny (routed)" in status
    shown = {" ".join(line.split()) for line in status.splitlines()}
    management = [
        str(network).removesuffix("/32").removesuffix("/128") for network in server.variable("network_management")
    ]
    assert {line for line in shown if "#" in line} == {
        "22/tcp ALLOW IN Anywhere # ssh",
        "80/tcp ALLOW IN Anywhere # http",
        "443/tcp ALLOW IN Anywhere # https",
        "22/tcp (v6) ALLOW IN Anywhere (v6) # ssh",
        "80/tcp (v6) ALLOW IN Anywhere (v6) # http",
        "443/tcp (v6) ALLOW IN Anywhere (v6) # https",
        *(f"5432/tcp ALLOW IN {network} # postgresql" for network in management),
        "53/udp ALLOW OUT Anywhere # dns",
        "443/tcp ALLOW OUT Anywhere # https",
        "53/udp (v6) ALLOW OUT Anywhere (v6) # dns",
        "443/tcp (v6) ALLOW OUT Anywhere (v6) # https",
        *(
            f"{network} 5432/tcp ALLOW OUT Anywhere{{v6}} # to the management".format(v6=" (v6)" * (":" in network))
            for network in management
        ),
    }


def test_ufw_would_write_the_same_files(server: Machine) -> None:
    assert server.run(UFWS_OWN).rc == 0


def test_it_starts_at_boot(server: Machine) -> None:
    assert server.service("ufw").is_enabled
    assert server.service("ufw").is_running


def dropped(server: Machine, chain: str, target: str) -> int:
    """How many packets a rule of the IPv4 table has met."""
    counters = server.check_output(
        f"iptables -nvxL {chain} | awk '$3 == \"{target}\" {{ n += $1 }} END {{ print n + 0 }}'"
    )
    return int(counters)


def knock(vantage: Machine, address: str, port: int, times: int) -> None:
    """Send the first packet of so many connections, whatever becomes of them."""
    program = (
        "import socket, sys\nfor _ in range(int(sys.argv[3])):\n"
        " s = socket.socket(); s.setblocking(False); s.connect_ex((sys.argv[1], int(sys.argv[2]))); s.close()"
    )
    vantage.check_output(f"python3 -c '{program}' {address} {port} {times}")


def test_new_ssh_connections_are_limited_for_strangers_only(
    server: Machine, visitor: Machine, management: Machine
) -> None:
    before = dropped(server, "ufw-ssh-limit", "DROP")
    knock(management, server.addresses[0], 22, 100)
    assert dropped(server, "ufw-ssh-limit", "DROP") == before
    knock(visitor, server.addresses[0], 22, 100)
    assert dropped(server, "ufw-ssh-limit", "DROP") - before >= 60
    # The management still gets in, and so does the controller, from its own address.
    assert management.can_connect(server.addresses[0], 22)


def test_what_is_refused_is_logged_within_bounds(server: Machine, visitor: Machine) -> None:
    before = dropped(server, "ufw-after-logging-input", "LOG")
    knock(visitor, server.addresses[0], 9999, 200)
    assert 0 <= dropped(server, "ufw-after-logging-input", "LOG") - before <= 13
    assert dropped(server, "ufw-after-logging-input", "LOG") > 0


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_the_host_reaches_what_is_declared_and_nothing_else(server: Machine, visitor: Machine, family: int) -> None:
    address = visitor.addresses[family]
    # Nothing listens on 443: the visitor itself says so. sshd listens on 22: the host does not get there.
    ports = server.try_ports("egress", [(address, 443), (address, 22)]).text
    assert f"{address} 443 refused" in ports
    assert f"{address} 22 silent" in ports


def test_no_other_program_loads_rules_at_boot(server: Machine) -> None:
    for unit in ("nftables", "netfilter-persistent", "firewalld"):
        assert server.check_output(f"systemctl is-enabled {unit}.service || true") == "masked"


def test_what_an_engine_publishes_is_seen(server: Machine) -> None:
    assert published(server.check_output(TRANSLATIONS)) == {}
    rule = "PREROUTING -p tcp --dport 6379 -j DNAT --to-destination 172.17.0.2:6379"
    server.check_output(f"iptables -t nat -A {rule}")
    server.check_output("nft add table inet engine")
    server.check_output("nft 'add chain inet engine ports { type nat hook prerouting priority -100 ; }'")
    server.check_output("nft add rule inet engine ports tcp dport 8080 dnat ip to 10.88.0.2:80")
    try:
        assert set(published(server.check_output(TRANSLATIONS))) == {"6379", "8080"}
    finally:
        server.check_output(f"iptables -t nat -D {rule}; nft delete table inet engine")


def test_a_rule_added_by_hand_is_named_by_the_difference(server: Machine, declaration: Environment) -> None:
    checkout = Path(__file__).parents[2]
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", declaration.directory, "--check", "--diff"]
    server.check_output("ip6tables -A INPUT -p tcp --dport 7 -j ACCEPT")
    try:
        told = subprocess.run(
            [*map(str, command), str(checkout / "molecule/firewall/converge.yml")],
            cwd=checkout,
            env={**os.environ, "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        server.check_output("ip6tables -D INPUT -p tcp --dport 7 -j ACCEPT")
    assert "-+ IPv6 -A INPUT -p tcp -m tcp --dport 7 -j ACCEPT" in told
