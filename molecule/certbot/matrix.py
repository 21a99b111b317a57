"""What a hostile directory does, and what can go wrong while a renewal is due, as data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

DAY = 86400


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Percent of nonces refused, percent of authorizations used again, and days of validity."""

    nonces: int
    authorizations: int
    days: int
    is_quick: bool = True

    def __str__(self) -> str:
        """Its name in a report."""
        return f"nonce-{self.nonces}-authz-{self.authorizations}-{self.days}d"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Shell commands that break something: on the server, or beside the directory; `says` is in the unit's journal.

    Those that are not quick are no part of a sample.
    """

    name: str
    do: str
    undo: str
    says: str
    where: str = "server"
    is_quick: bool = True

    def __str__(self) -> str:
        """Its name in a report."""
        return self.name


CELLS = [
    Cell(nonces=nonces, authorizations=authorizations, days=days)
    for nonces, authorizations, days in product((0, 5, 15), (0, 50, 100), (6, 45, 64, 90))
]
ARCHIVE = "/etc/letsencrypt/archive/platform.example.test"
FAULTS = [
    Fault(
        name="directory-away",
        do="iptables -I OUTPUT -p tcp --dport 14000 -j REJECT; ip6tables -I OUTPUT -p tcp --dport 14000 -j REJECT",
        undo="iptables -D OUTPUT -p tcp --dport 14000 -j REJECT; ip6tables -D OUTPUT -p tcp --dport 14000 -j REJECT",
        says="Connection refused|Max retries exceeded",
        is_quick=False,
    ),
    Fault(
        name="port-80-blocked",
        do="iptables -I INPUT -p tcp --dport 80 -j REJECT; ip6tables -I INPUT -p tcp --dport 80 -j REJECT",
        undo="iptables -D INPUT -p tcp --dport 80 -j REJECT; ip6tables -D INPUT -p tcp --dport 80 -j REJECT",
        says="onnection refused|Some challenges have failed",
    ),
    Fault(
        name="name-leads-elsewhere",
        where="directory",
        do="knotc zone-begin example.test; knotc zone-unset example.test platform A;"
        " knotc zone-unset example.test platform AAAA;"
        " knotc zone-set example.test platform 1 A $(getent ahostsv4 acme.example.test | sed -n '1s/ .*//p');"
        " knotc zone-commit example.test",
        undo="knotc zone-begin example.test; knotc zone-unset example.test platform A;"
        " knotc zone-set example.test platform 1 A $(getent ahostsv4 server | sed -n '1s/ .*//p');"
        " knotc zone-set example.test platform 1 AAAA $(getent ahostsv6 server | sed -n '1s/ .*//p');"
        " knotc zone-commit example.test",
        says="Some challenges have failed",
    ),
    Fault(
        name="name-refused",
        where="blocklist",
        do="",
        undo="",
        says="rejectedIdentifier|policy|blocked",
        is_quick=False,
    ),
    Fault(
        name="disk-full",
        do=f"mkdir -p /run/small; mount -t tmpfs -o size=128k small /run/small; cp -a {ARCHIVE}/. /run/small;"
        f" mount --bind /run/small {ARCHIVE}; head -c 1M /dev/zero >/run/small/filler 2>/dev/null || true",
        undo="rm -f /run/small/filler",
        says="No space left on device",
        is_quick=False,
    ),
    Fault(
        name="configuration-refused",
        do="echo 'nonsense;' >/etc/nginx/sites-enabled/broken.conf",
        undo="rm -f /etc/nginx/sites-enabled/broken.conf",
        says='unknown directive "nonsense"',
        is_quick=False,
    ),
]
