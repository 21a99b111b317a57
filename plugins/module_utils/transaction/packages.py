# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Debian packages: install what is missing, know what came with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import system
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["install", "newcomers", "plan"]

INSTALL_SECONDS = 1800
_APT = (
    "apt-get",
    "-y",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)
_INSTALLS = re.compile(r"^Inst (\S+) (?!\[)", re.MULTILINE)


def newcomers(simulation: str, known: Mapping[str, str]) -> list[dict[str, str]]:
    """Packages that a simulated installation brings and that are not there yet, with how to undo each."""
    names = (match.split(":")[0] for match in _INSTALLS.findall(simulation))
    return [
        {"name": name, "undo": "remove" if known.get(name) == "rc" else "purge"}
        for name in names
        if known.get(name) not in ("ii", "hi")
    ]


def plan(missing: Sequence[str]) -> list[dict[str, str]]:
    """Say what installing these packages would bring; package lists are updated when they do not suffice.

    Raises TransactionError with apt's own message when a package cannot be had.
    """
    command = [*_APT, "--simulate", "install", *missing]
    status, output = run(command, timeout=INSTALL_SECONDS)
    if status != 0:
        _update()
        status, output = run(command, timeout=INSTALL_SECONDS)
    if status != 0:
        raise TransactionError(f"Cannot install {' '.join(missing)}: {_errors(output)}")
    return newcomers(output, system.installed_packages())


def install(missing: Sequence[str]) -> None:
    """Install packages; with old lists a second time after an update."""
    command = [*_APT, "install", *missing]
    status, output = run(command, timeout=INSTALL_SECONDS)
    if status != 0:
        _update()
        status, output = run(command, timeout=INSTALL_SECONDS)
    if status != 0:
        raise TransactionError(f"Cannot install {' '.join(missing)}: {_errors(output)}")


def _update() -> None:
    status, output = run(["apt-get", "update", "-o", "DPkg::Lock::Timeout=300"], timeout=INSTALL_SECONDS)
    if status != 0:
        raise TransactionError(f"Cannot update the package lists: {_errors(output)}")


def _errors(output: str) -> str:
    lines = output.splitlines()
    return "\n".join([line for line in lines if line.startswith(("E:", "dpkg: error"))] or lines[-8:])
