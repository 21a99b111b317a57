"""What a scanner of others says of the whole site: Lynis, as a scan has it run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from scanning import INSTALL, scanned, statuses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controls.environment import Environment
    from controls.machine import Machine

CHECK = "lynis finds the machine hardened"
REMOVE = (
    "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes -o DPkg::Lock::Timeout=120 purge lynis;"
    " rm -rf /etc/lynis /var/log/lynis*"
)


@pytest.fixture
def with_lynis(server: Machine) -> Iterator[Machine]:
    """The server with the newest packages, as it has them after a night, and with Lynis for a while."""
    server.check_output("unattended-upgrade")
    server.check_output(INSTALL)
    yield server
    server.check_output(REMOVE)


def test_lynis_has_no_warning_and_little_to_ask_for(
    with_lynis: Machine, declaration: Environment, tmp_path: Path
) -> None:
    report = scanned(declaration, tmp_path, "lynis")
    assert statuses(report, with_lynis.name, CHECK) == {"met"}, json.dumps(report["controls"], indent=1)
