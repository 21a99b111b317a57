"""What a service's units may reach, beside what the service says that it talks to."""

from __future__ import annotations

__all__ = ["address_problems", "looked_up", "parse", "state_problems", "unread"]

import ipaddress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

EVERYWHERE = {"0.0.0.0/0", "::/0"}
# Where Debian's packages have their units, and where the roles have theirs.
PACKAGED, OURS = ("/usr/lib/systemd/", "/lib/systemd/"), "/etc/systemd/system/"
State = Literal["on", "on call", "off", "masked"]


def parse(shown: str) -> dict[str, dict[str, str]]:
    """The units of `systemctl show`, by their names, each with its properties."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n") if block]
    return {block["Id"]: block for block in blocks}


def unread(told: str) -> str:
    """The file that was written after a unit had read its files, from lines `read SECONDS` and `written SECONDS PATH`.

    Empty when it has read all of them as they are.
    """
    words = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
    read, written = words.get("read", []), words["written"]
    # What an older bundle has begins with a sign.
    is_newer = float(written[0]) > float(read[0].lstrip("@") if read else 0)
    return " ".join(written[1:] or ["its file"]) if is_newer else ""


def state_problems(
    units: Mapping[str, Mapping[str, str]], wanted: Mapping[str, State], *, laid: Container[str] = ()
) -> list[str]:
    """Units that are not in the state they have to be in, or are not what their package or role laid down.

    `on` runs now and after a start, `on call` is there for others to start, `off` is neither, `masked` cannot be.
    `laid` are files that a role has; a drop-in that is none of them is a stranger's.
    """
    return [f"{name} {what}" for name, state in wanted.items() for what in _state_problems(units[name], state, laid)]


def _state_problems(unit: Mapping[str, str], state: State, laid: Container[str]) -> list[str]:
    active, enabled = unit["ActiveState"] in ("active", "reloading"), unit["UnitFileState"]
    if state == "masked":
        return [] if enabled == "masked" else ["is not masked"]
    if state == "off":
        return ["is running"] * active + ["is started at boot"] * (enabled in ("enabled", "enabled-runtime"))
    problems = []
    if state == "on":
        problems += ["is not running"] * (not active) + ["is not started at boot"] * (enabled != "enabled")
    drop_ins = [path for path in unit["DropInPaths"].split() if path not in laid]
    problems += [f"is changed by {path}" for path in drop_ins if not path.startswith(PACKAGED)]
    expected = (f"{OURS}{unit['Id']}",) if unit["Id"].startswith("art32-") else PACKAGED
    problems += [f"comes from {unit['FragmentPath'] or 'nowhere'}"] * (not unit["FragmentPath"].startswith(expected))
    return problems + ["has files that systemd has not read"] * (unit["NeedDaemonReload"] == "yes")


def looked_up(lines: str) -> dict[str, set[str]]:
    """Addresses by the name they were found for: each line a name and an address."""
    found: dict[str, set[str]] = {}
    for name, address in (line.split() for line in lines.splitlines() if line.strip()):
        found.setdefault(name, set()).add(address.split("%")[0])
    return found


def address_problems(
    units: Mapping[str, Mapping[str, str]],
    talks_to: Sequence[str],
    *,
    now: Mapping[str, Iterable[str]],
    lately: Mapping[str, Iterable[str]],
    resolvers: Iterable[str],
) -> list[str]:
    """Units that may reach more, or less, than the service declares (`talks_to`, each HOST:PORT).

    `now` has the addresses of the named hosts as they are looked up now, `lately` those of the last day: a name that
    has just changed may keep both.
    """
    hosts = {entry.rpartition(":")[0].strip("[]") for entry in talks_to}
    named = {host for host in hosts if not _is_address(host)}
    wanted = _networks(hosts - named) | {one for name in named for one in _networks(now.get(name, ()))}
    tolerated = {one for name in named for one in _networks(lately.get(name, ()))}
    tolerated |= _networks(resolvers) if named else set()
    problems = []
    for name, unit in sorted(units.items()):
        allowed = set(unit["IPAddressAllow"].split())
        if not set(unit["IPAddressDeny"].split()) >= EVERYWHERE:
            problems.append(f"{name} may reach every address")
            continue
        if not hosts and unit["PrivateNetwork"] != "yes":
            problems.append(f"{name} has a network, and talks_to names nobody")
        over = sorted(allowed - wanted - tolerated)
        under = sorted(wanted - allowed)
        problems += [f"{name} may reach {address}, which talks_to does not name" for address in over]
        problems += [f"{name} cannot reach {address}, which talks_to names" for address in under]
    return problems


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _networks(addresses: Iterable[str]) -> set[str]:
    return {str(ipaddress.ip_network(address)) for address in addresses}
