"""What is judged of a former secret by what the services of a host hold."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from controls import trial

FORMER, PRESENT = "smtp://shop:former@relay", "smtp://shop:present@relay"
RUNNING = "/run/credentials/art32-shop.service/RELAY"
WAITING = "/etc/art32/credentials/shop/RELAY"
SERVER: Any = SimpleNamespace(name="server")


def listed(texts: dict[str, str]) -> list[str]:
    """Lines as sha256sum prints them."""
    return [f"{hashlib.sha256(text.encode()).hexdigest()}  {path}" for path, text in texts.items()]


@pytest.mark.parametrize(
    ("found", "former_is", "present_is"),
    [
        ({RUNNING: PRESENT, WAITING: PRESENT}, "out", "in"),
        ({RUNNING: FORMER, WAITING: PRESENT}, "in", "out"),  # written, but not started again
        ({RUNNING: PRESENT, WAITING: FORMER}, "in", "in"),
        ({}, "out", "out"),
    ],
)
def test_a_secret_is_replaced_when_the_running_service_has_the_new_one_alone(
    found: dict[str, str], former_is: str, present_is: str
) -> None:
    lines = listed(found)
    former = trial.held(SERVER, "shop", lines, [FORMER], wanted="out")
    present = trial.held(SERVER, "shop", lines, [PRESENT], wanted="in")
    assert (former.found, present.found) == (former_is, present_is)
