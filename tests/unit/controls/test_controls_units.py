"""Units against what their service talks to."""

from __future__ import annotations

from typing import Any

import pytest

from controls.judges import units

SHOWN = """
Id=art32-shop.service
IPAddressAllow=192.0.2.10/32 198.51.100.53/32
IPAddressDeny=::/0 0.0.0.0/0
PrivateNetwork=no

Id=art32-shop-migrate.service
IPAddressAllow=192.0.2.10/32
IPAddressDeny=::/0 0.0.0.0/0
PrivateNetwork=no
"""
MAIL = ["mail.example.test:587"]


def judge(talks_to: list[str], *, shown: str = SHOWN, **known: Any) -> list[str]:  # noqa: ANN401 - as each case has it
    found = {"now": {"mail.example.test": ["192.0.2.10"]}, "lately": {}, "resolvers": ["198.51.100.53"], **known}
    return units.address_problems(units.parse(shown), talks_to, **found)


def test_the_addresses_of_a_name_and_the_resolver_are_as_declared() -> None:
    assert judge(MAIL) == []


def test_an_address_that_the_name_had_lately_is_tolerated_and_a_new_one_missed() -> None:
    moved = judge(MAIL, now={"mail.example.test": ["192.0.2.11"]}, lately={"mail.example.test": ["192.0.2.10"]})
    assert moved == [
        "art32-shop-migrate.service cannot reach 192.0.2.11/32, which talks_to names",
        "art32-shop.service cannot reach 192.0.2.11/32, which talks_to names",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("192.0.2.10/32 198", "10.0.0.0/8 192.0.2.10/32 198"), "may reach 10.0.0.0/8, which talks_to does not name"),
        (("IPAddressDeny=::/0 0.0.0.0/0", "IPAddressDeny="), "may reach every address"),
    ],
)
def test_more_than_declared_is_told(change: tuple[str, str], problem: str) -> None:
    assert judge(MAIL, shown=SHOWN.replace(*change, 1)) == [f"art32-shop.service {problem}"]


def test_who_talks_to_nobody_has_no_network() -> None:
    alone = "Id=a.service\nIPAddressAllow=\nIPAddressDeny=::/0 0.0.0.0/0\nPrivateNetwork=no\n"
    assert judge([], shown=alone) == ["a.service has a network, and talks_to names nobody"]
    assert judge([], shown=alone.replace("=no", "=yes")) == []


def test_the_resolver_is_for_names_only() -> None:
    problems = judge(["192.0.2.10:587"])
    assert problems == ["art32-shop.service may reach 198.51.100.53/32, which talks_to does not name"]


@pytest.mark.parametrize(
    ("told", "file"),
    [
        ("read 17.25\nwritten 17.2 /etc/nginx/nginx.conf", ""),
        ("read 17.25\nwritten 17.3 /etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
        ("read @17\nwritten 17", ""),  # as it was asked formerly
        ("read @17\nwritten 18", "its file"),
    ],
)
def test_a_file_written_after_it_was_read_is_named(told: str, file: str) -> None:
    assert units.unread(told) == file


def test_lines_of_names() -> None:
    assert units.looked_up("a 192.0.2.1\na fe80::1%eth0\nb 192.0.2.2\n") == {
        "a": {"192.0.2.1", "fe80::1"},
        "b": {"192.0.2.2"},
    }
