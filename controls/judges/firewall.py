"""Which connections a host's loaded packet filter lets in, read from `iptables-save`."""

from __future__ import annotations

__all__ = ["Opening", "covers", "declared_openings", "openings", "published"]

import argparse
import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ANY_SOURCE = {4: "0.0.0.0/0", 6: "::/0"}
# What a host needs to have an address at all: answers of DHCP, from the server's port to the client's.
ADDRESSING = {("udp", "67", "68"), ("udp", "547", "546")}
# A program that is asked may accept.
ACCEPTS = ("ACCEPT", "NFQUEUE")
TRANSLATION = re.compile(r"-j (DNAT|REDIRECT|TPROXY)\b|\b(dnat|redirect|tproxy)\b.* to\b|\bredirect$")
LOCAL_OUTPUT = re.compile(r"^-A (OUTPUT|POSTROUTING)\b")
PORT = re.compile(r"dports? (?:\{ ?)?([0-9:,-]+)")
PING_AND_NEIGHBOURS = {"icmp", "ipv6-icmp", "icmpv6"}


@dataclass(frozen=True, order=True)
class Opening:
    """A protocol and port that accept new connections, and from where; `any` where a rule sets no limit."""

    proto: str
    port: str
    source: str

    def __str__(self) -> str:
        """The way it is declared."""
        return f"{self.proto}/{self.port} from {self.source}"


def openings(saved: str, family: int) -> set[Opening]:
    """Everything that a filter table lets in from outside: loopback, answers, ICMP and DHCP apart.

    A rule whose conditions are not understood counts as open, in whatever chain it stands, if INPUT leads there.
    """
    policy, chains = _parse(saved)
    found = {_opening(rule, family) for rule in _accepting(chains, "INPUT", {}) if not _is_needed(rule)}
    if policy != "DROP":
        found.add(Opening("any", "any", f"{ANY_SOURCE[family]} (policy {policy or 'not set'})"))
    return found


def declared_openings(rules: Iterable[Mapping[str, Any]], family: int) -> set[Opening]:
    """The openings of one family that the declaration stands for."""
    return {
        Opening(rule["proto"], str(rule["port"]), source)
        for rule in rules
        for source in rule["sources"]
        if ip_network(source).version == family
    }


def published(rules: str) -> dict[str, str]:
    """Ports that are handed to another address before INPUT is asked, as container engines do, each with its rule.

    Reads iptables-save's tables and nft's; a translation whose port is not told counts for every port.
    """
    lines = [line.strip() for line in rules.splitlines()]
    translating = [line for line in lines if TRANSLATION.search(line) and not LOCAL_OUTPUT.search(line)]
    found: dict[str, str] = {}
    for line in translating:
        port = PORT.search(line)
        found.setdefault(port[1] if port else "any", line)
    return found


def covers(sources: Iterable[str], addresses: Iterable[str]) -> bool:
    """Whether one of the addresses is in one of the networks."""
    networks = [ip_network(source) for source in sources]
    return any(ip_address(address) in network for network in networks for address in addresses)


def _parse(saved: str) -> tuple[str, dict[str, list[dict[str, str]]]]:
    """INPUT's policy, and the rules of every chain."""
    policy = ""
    chains: dict[str, list[dict[str, str]]] = {}
    for line in saved.splitlines():
        if line.startswith(":"):
            name, state = line[1:].split()[:2]
            chains.setdefault(name, [])
            policy = state if name == "INPUT" else policy
        elif line.startswith("-A "):
            _, chain, *words = shlex.split(line)
            chains.setdefault(chain, []).append(_rule(words))
    return policy, chains


def _accepting(
    chains: Mapping[str, Sequence[dict[str, str]]], chain: str, conditions: dict[str, str], seen: tuple[str, ...] = ()
) -> Iterator[dict[str, str]]:
    """Every rule below a chain that accepts, with the conditions of the way there."""
    for rule in chains.get(chain, ()):
        merged = {**conditions, **rule}
        target = rule.get("target", "")
        if target in ACCEPTS:
            yield merged
        elif target in chains and target not in seen:
            yield from _accepting(chains, target, merged, (*seen, chain))


def _rule(words: Sequence[str]) -> dict[str, str]:
    if "!" in words:  # what it is not about is not understood, so it counts as about everything
        words = [word for flag in ("-j", "-g") if flag in words for word in words[words.index(flag) :][:2]]
    known, _ = _RULE.parse_known_args(words)
    return {name: value for name, value in vars(known).items() if value is not None}


def _rule_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name, flags in {
        "proto": ["-p", "--protocol"],
        "source": ["-s", "--source"],
        "interface": ["-i"],
        "port": ["--dport", "--dports"],
        "source_port": ["--sport"],
        "states": ["--ctstate", "--state"],
        "target": ["-j", "-g"],
    }.items():
        parser.add_argument(*flags, dest=name)
    return parser


_RULE = _rule_parser()


def _is_needed(rule: Mapping[str, str]) -> bool:
    """Whether a rule lets in only what no declaration is about."""
    states = set(rule.get("states", "NEW").split(","))
    way = (rule.get("proto", ""), rule.get("source_port", ""), rule.get("port", ""))
    return (
        rule.get("interface") == "lo"
        or states <= {"RELATED", "ESTABLISHED"}
        or rule.get("proto") in PING_AND_NEIGHBOURS
        or way in ADDRESSING
    )


def _opening(rule: Mapping[str, str], family: int) -> Opening:
    source = rule.get("source", ANY_SOURCE[family])
    return Opening(rule.get("proto", "any"), rule.get("port", "any"), str(ip_network(source, strict=False)))
