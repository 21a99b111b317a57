"""What every test of the SSH server needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from controls.machine import Machine


@pytest.fixture(autouse=True)
def _forgiven(server: Machine) -> None:
    """Debian 13's sshd shuts out sources that keep failing, as these tests do; a new process has forgotten them."""
    server.check_output("systemctl reset-failed ssh.service; systemctl restart ssh.service")
