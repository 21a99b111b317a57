"""Runs the independent scanners of an audit, and reads what became of each of their checks."""

from __future__ import annotations

__all__ = ["INSTALL", "INSTALL_RULES", "scanned", "statuses"]

import json
from typing import TYPE_CHECKING, Any

from tests import audits

if TYPE_CHECKING:
    from pathlib import Path

    from controls.environment import Environment

APT = "DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=120 install --no-install-recommends"
# As an operator who wants it has it (base_packages).
INSTALL = f"apt-get -q update; {APT} lynis"
# Neither release has rules for itself; the next one has them for both. Its archive is behind its own date at times.
INSTALL_RULES = f"""
apt-get -q update
{APT} openscap-scanner
next=/etc/apt/sources.list.d/next.list
sed -n '1s/^deb \\(.*\\) \\(trixie\\|bookworm\\) /deb [check-valid-until=no] \\1 forky /p' /etc/apt/sources.list >$next
test -s $next
apt-get -q update
{APT} ssg-debian/forky
rm $next
apt-get -q update
"""


def scanned(environment: Environment, directory: Path, *checks: str) -> dict[str, Any]:
    """The report of the scanners alone; checks are named by a part of their names."""
    chosen = ["-k", " or ".join(checks)] if checks else []
    audits.run(environment.directory, directory, "--kinds=scan", *chosen, areas=["scanners"])
    report: dict[str, Any] = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return report


def statuses(report: dict[str, Any], host: str, check: str) -> set[str]:
    """What became of a check on a host."""
    return {
        entry["status"]
        for control in report["controls"]
        if control["host"] == host
        for entry in control["checks"]
        if entry["name"] == check
    }
