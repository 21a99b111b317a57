"""A secret file's content is on the host, in that file, and nowhere else."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Host, Plays


def traces(host: Host, text: str) -> list[str]:
    """Lines of the journal and names of files that hold a text."""
    places = "/etc /var/lib/art32 /run/art32 /var/log/syslog /tmp /var/tmp"
    command = f"""
    journalctl --no-pager -q | grep -F {text}
    find {places} -type f -exec grep -lF {text} {{}} + 2>/dev/null
    true
    """
    return host.says(command).splitlines()


def test_a_secret_appears_only_in_its_file(lantern: Host, plays: Plays) -> None:
    secret = f"canary-{secrets.token_hex(8)}"
    for flags in (["--check", "--diff", "-vvv"], ["--diff", "-vvvv"]):
        done = plays.run(*flags, word="second", secret=secret)
        assert done.status == 0, done.output
        assert "/etc/lantern/secret" in done.output
        assert secret not in done.output
    assert traces(lantern, secret) == ["/etc/lantern/secret"]


def test_a_secret_that_a_tool_quotes_is_hidden(lantern: Host, plays: Plays) -> None:
    secret = f"canary-{secrets.token_hex(8)}"
    tell = [{"command": ["sh", "-c", "cat /etc/lantern/secret >&2; exit 1"]}]
    done = plays.run("-vvv", word="second", secret=secret, after=tell)
    assert done.status != 0
    assert "********" in done.output
    assert secret not in done.output


def test_the_search_finds_a_planted_secret(lantern: Host) -> None:
    planted = f"canary-{secrets.token_hex(8)}"
    lantern.says(f"logger planted {planted}; journalctl --sync")
    assert any(planted in line for line in traces(lantern, planted))
