"""Lines that let clients trust a host's certificate."""

from __future__ import annotations

from ansible_collections.art32.server.plugins.module_utils.known_hosts import with_authorities, without_host

NAMES = ["203.0.113.10", "2001:db8::10", "server"]
PINNED = "203.0.113.10 ssh-ed25519 AAAApinned\n"
OTHERS = "@cert-authority 203.0.113.11,backup ssh-ed25519 AAAAca\n"


def test_each_authority_has_a_line_and_other_lines_stay() -> None:
    text = with_authorities(PINNED + OTHERS, NAMES, ["ssh-ed25519 AAAAca a comment", "ssh-ed25519 AAAAnew"])
    assert text == (
        PINNED
        + OTHERS
        + "@cert-authority 203.0.113.10,2001:db8::10,server ssh-ed25519 AAAAca\n"
        + "@cert-authority 203.0.113.10,2001:db8::10,server ssh-ed25519 AAAAnew\n"
    )
    assert with_authorities(text, NAMES, ["ssh-ed25519 AAAAca", "ssh-ed25519 AAAAnew"]) == text


def test_an_authority_that_is_trusted_no_longer_goes() -> None:
    both = with_authorities(PINNED, NAMES, ["ssh-ed25519 AAAAold", "ssh-ed25519 AAAAnew"])
    assert "AAAAold" in both
    assert "AAAAold" not in with_authorities(both, NAMES, ["ssh-ed25519 AAAAnew"])


def test_a_new_address_replaces_the_old_line() -> None:
    text = with_authorities("", ["203.0.113.9", "server"], ["ssh-ed25519 AAAAca"])
    assert "203.0.113.9" not in with_authorities(text, NAMES, ["ssh-ed25519 AAAAca"])


def test_a_host_is_forgotten_with_who_vouched_for_it() -> None:
    text = (
        with_authorities(PINNED + OTHERS, NAMES, ["ssh-ed25519 AAAAca"]) + "[2001:db8::10]:2222 ssh-ed25519 AAAAown\n"
    )
    assert without_host(text, NAMES) == OTHERS
    assert without_host(OTHERS, NAMES) == OTHERS
    assert without_host("", NAMES) == ""
