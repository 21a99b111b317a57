"""The faults, as data: what each changes, and what the run has to say about it.

A fault's `files` are made of the live ones. `told` is a pattern for the run's message. `passes_sshd_test` says what
`sshd -t` thinks of it: nearly everything is fine by it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


SSHD = "/etc/ssh/sshd_config"
AUTHORITIES = "/etc/ssh/user_ca.pub"
REVOKED = "/etc/ssh/revoked_keys"
PRINCIPALS = "/etc/ssh/principals/jane"
RULES, RULES6 = "/etc/ufw/user.rules", "/etc/ufw/user6.rules"
BEFORE, BEFORE6 = "/etc/ufw/before.rules", "/etc/ufw/before6.rules"
DEFAULTS = "/etc/default/ufw"
HBA = "{pg}/pg_hba.conf"

NO_LOGIN = "could not be confirmed by a new login|Probe failed"
LOAD = "/usr/local/lib/art32/firewall load"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to go wrong: `change` makes the new files of the live ones, `commands` are pairs of do and undo."""

    name: str
    area: str
    change: Callable[[Mapping[str, str]], Mapping[str, Any]] = field(default=lambda _: {})
    commands: tuple[tuple[str, str], ...] = ()
    told: str = NO_LOGIN
    passes_sshd_test: bool = True

    @property
    def is_setting(self) -> bool:
        """Whether it is in sshd's configuration itself."""
        return SSHD in self.change({SSHD: "", AUTHORITIES: ""})


def setting(name: str, value: str) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Another value for a setting of sshd."""
    return lambda live: {SSHD: re.sub(rf"(?m)^{name} .*$", f"{name} {value}", live[SSHD])}


def added(line: str) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """One more line in sshd's configuration."""
    return lambda live: {SSHD: f"{live[SSHD]}{line}\n"}


def content(path: str, text: str, mode: str = "0644") -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """A file with other content."""
    return lambda _: {path: {"content": text, "mode": mode}}


def rules(pattern: str, new: str, *paths: str) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Files of the firewall with something exchanged."""
    return lambda live: {path: re.sub(pattern, new, live[path]) for path in paths}


def hba(change: Callable[[str], str]) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Another pg_hba.conf."""
    return lambda live: {HBA: change(live[HBA])}


def ssh_fault(name: str, change: Callable[[Mapping[str, str]], Mapping[str, Any]], **values: Any) -> Fault:  # noqa: ANN401
    """A fault of sshd."""
    return Fault(name=name, area="sshd", change=change, **values)


def wall_fault(name: str, change: Callable[[Mapping[str, str]], Mapping[str, Any]], **values: Any) -> Fault:  # noqa: ANN401
    """A fault of the firewall."""
    return Fault(name=name, area="firewall", change=change, **values)


def by_command(name: str, do: str, undo: str = LOAD) -> Fault:
    """A fault of the firewall that no file has."""
    return Fault(name=name, area="firewall", commands=((do, undo),))


def hba_fault(name: str, change: Callable[[str], str], told: str) -> Fault:
    """A fault of pg_hba."""
    return Fault(name=name, area="pg_hba", change=hba(change), told=told)


SSHD_FAULTS = [
    ssh_fault("revoked-keys-missing", setting("RevokedKeys", "/etc/ssh/nowhere")),
    ssh_fault(
        "revoked-keys-truncated",
        lambda _: {REVOKED: {"content_base64": base64.b64encode(b"SSHKRL\n\0\0\0\0\1").decode(), "mode": "0644"}},
    ),
    ssh_fault("revoked-keys-is-the-authority", lambda live: {REVOKED: live[AUTHORITIES]}),
    ssh_fault("authorities-missing", setting("TrustedUserCAKeys", "/etc/ssh/nowhere")),
    ssh_fault("authorities-empty", content(AUTHORITIES, "\n")),
    ssh_fault("authorities-garbage", content(AUTHORITIES, "ssh-ed25519 garbage\n")),
    ssh_fault("principals-missing", setting("AuthorizedPrincipalsFile", "/etc/ssh/nowhere/%u")),
    ssh_fault("principals-writable", content(PRINCIPALS, "jane\n", "0666")),
    ssh_fault("authority-of-another-kind", setting("CASignatureAlgorithms", "rsa-sha2-512")),
    ssh_fault("no-certificates", setting("PubkeyAcceptedAlgorithms", "ssh-ed25519")),
    ssh_fault("allow-users-typo", added("AllowUsers jnae")),
    ssh_fault("allow-groups-typo", added("AllowGroups art32-poeple")),
    ssh_fault("match-without-keys", added("Match User jane\n  PubkeyAuthentication no")),
    ssh_fault("address-of-another-host", added("ListenAddress 192.0.2.1"), told="Activation failed|Probe failed"),
    ssh_fault(
        "no-public-keys", setting("PubkeyAuthentication", "no"), told="Validation failed", passes_sshd_test=False
    ),
]

ANY_22 = r"(-A ufw6?-user-input -p tcp --dport 22) -j ACCEPT"
FIREWALL_FAULTS = [
    wall_fault("ssh-not-allowed", rules(ANY_22, r"\1 -j DROP", RULES, RULES6)),
    wall_fault("wrong-management-network", rules(ANY_22, r"\1 -s 192.0.2.0/24 -j ACCEPT", RULES)),
    wall_fault("deny-before-allow", rules(r"(?m)^(-A ufw6?-user-input) ", r"\1 -j DROP\n\1 ", RULES, RULES6)),
    wall_fault("ipv6-only", rules(ANY_22, "", RULES)),
    wall_fault("no-rules-at-all", rules(r"(?m)^-A ufw6?-user-input .*$", "", RULES, RULES6)),
    by_command("flush-without-allow", "iptables -P INPUT DROP; iptables -F"),
    wall_fault(
        "bad-syntax",
        rules(r"--dport 22 -j ACCEPT", "--dport twentytwo -j ACCEPT", RULES),
        told="Validation failed|Activation failed",
    ),
    wall_fault(
        "nothing-goes-out",
        lambda live: {
            DEFAULTS: live[DEFAULTS].replace('OUTPUT_POLICY="ACCEPT"', 'OUTPUT_POLICY="DROP"'),
            BEFORE: re.sub(r"-A ufw-before-output -m conntrack .*", "", live[BEFORE]),
        },
    ),
    wall_fault("wrong-interface", rules(ANY_22, r"-A ufw-user-input -i eth9 -p tcp --dport 22 -j ACCEPT", RULES)),
    by_command("rules-of-the-older-kind", "iptables-legacy -P INPUT DROP", "iptables-legacy -P INPUT ACCEPT"),
    Fault(
        name="no-connection-tracking",
        area="firewall",
        change=lambda live: {DEFAULTS: live[DEFAULTS].replace('OUTPUT_POLICY="ACCEPT"', 'OUTPUT_POLICY="DROP"')},
        commands=(
            (
                "for way in 'PREROUTING ! -i' 'OUTPUT ! -o'; do iptables -t raw -A $way lo -j CT --notrack; done",
                "iptables -t raw -F",
            ),
        ),
    ),
    by_command("everything-dropped", "iptables -I INPUT ! -i lo -j DROP"),
    wall_fault("everything-invalid", rules("--ctstate INVALID -j DROP", "--ctstate NEW -j DROP", BEFORE, BEFORE6)),
]

HBA_FAULTS = [
    hba_fault("hba-syntax", lambda text: f"{text}\nhost all all\n", "pg_hba.conf, line"),
    hba_fault("hba-unknown-method", lambda text: f"{text}\nlocal all all trustworthy\n", "pg_hba.conf, line"),
    hba_fault("hba-no-network", lambda text: f"{text}\nhost all all 10.0.0.0/33 scram-sha-256\n", "pg_hba.conf, line"),
    hba_fault("hba-empty", lambda _: "\n", "pg_hba.conf has no rule at all"),
    hba_fault("hba-rejects-all", lambda text: f"local all all reject\n{text}", "Activation failed|Probe failed"),
    hba_fault("hba-no-peer", lambda text: re.sub(r"(?m)^local.*$", "", text), "Activation failed|Probe failed"),
]

FAULTS = [*SSHD_FAULTS, *FIREWALL_FAULTS, *HBA_FAULTS]
