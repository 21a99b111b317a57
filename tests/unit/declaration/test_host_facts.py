"""The facts that one shell command brings."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.art32.server.plugins.module_utils.host_facts import COMMAND, UnsupportedHostError, parse

TRIXIE = """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
VERSION_ID="13"
VERSION_CODENAME=trixie
ID=debian
HOME_URL="https://www.debian.org/"
ART32_HOSTNAME=server.example.test
ART32_CPUS=2
ART32_MEMORY=2097152
ART32_PYTHON=3.13.5
"""


def test_facts_have_ansibles_names() -> None:
    assert parse(TRIXIE) == {
        "ansible_distribution": "Debian",
        "ansible_distribution_release": "trixie",
        "ansible_distribution_major_version": "13",
        "ansible_hostname": "server",
        "ansible_processor_vcpus": 2,
        "ansible_memtotal_mb": 2048,
        "ansible_python_version": "3.13.5",
        "ansible_art32_identities": {},
    }


def test_public_keys_of_a_host_are_read_by_their_files() -> None:
    answer = f"{TRIXIE}ART32_IDENTITY backup.pub ssh-ed25519 AAAA= backup\n"
    assert parse(answer)["ansible_art32_identities"] == {"backup.pub": "ssh-ed25519 AAAA= backup"}


def test_another_system_is_refused_by_its_name() -> None:
    with pytest.raises(UnsupportedHostError, match=r"Debian GNU/Linux 11.*supported is Debian 12 \(bookworm\) or"):
        parse(TRIXIE.replace("13 (trixie)", "11 (bullseye)").replace('"13"', '"11"'))


def test_a_host_without_python_is_refused() -> None:
    with pytest.raises(UnsupportedHostError, match="install the package python3"):
        parse(TRIXIE.replace("3.13.5", ""))


def test_the_command_runs() -> None:
    done = subprocess.run(["/bin/sh", "-c", COMMAND], check=True, capture_output=True, text=True)
    assert "ART32_PYTHON=3." in done.stdout
