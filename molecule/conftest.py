"""For scenarios that run operations of an environment as its operator would."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

if TYPE_CHECKING:
    from controls.environment import Environment
    from controls.machine import Machine

Play = Callable[..., tuple[int, str]]

ROOT = Path(__file__).parents[1]
RESOURCES = ROOT / "molecule" / "resources"
FINGERPRINT = RESOURCES / "fingerprint"
# What grows by itself: the database's own files, told by its rows, and the copies of its log on the backup machine.
GROWING = ("/var/lib/postgresql/", "/var/lib/pgbackrest/")
A_LOGIN = re.compile(r"\bsession-c?\d+\.scope\b")
# Counters are no rows: the numbers that a trial drew which was rolled back do not come back.
ROWS = (
    "getent passwd postgres && runuser -u postgres -- pg_dumpall | grep -v -e restrict -e pg_catalog.setval | sha256sum"
)
RULES = (
    "iptables-save | grep -v -e '^#' -e '^:'; ip6tables-save | grep -v -e '^#' -e '^:'; nft --stateless list ruleset"
)
KERNEL = "sysctl -a 2>/dev/null | grep -c ."
SECONDS = 600


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the operations leave their records."""
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="session")
def state() -> Callable[[Machine], str]:
    """Reads a host whole: configuration, packages, units, accounts, every row with every grant, and every rule."""

    def read(machine: Machine) -> str:
        told = machine.run(FINGERPRINT.read_text(encoding="utf-8"))
        assert told.rc == 0, told.stderr
        files = [line for line in told.stdout.splitlines() if not (line.startswith(GROWING) or A_LOGIN.search(line))]
        return "\n".join([*files, *(machine.run(line).stdout for line in (ROWS, f"({RULES}) 2>/dev/null", KERNEL))])

    return read


@pytest.fixture
def play(declaration: Environment, records: Path) -> Play:
    """Run an operation of this environment, as a person when one is named; its exit code and what it said."""

    def run(playbook: str, *, by: str = "", **words: str) -> tuple[int, str]:
        command = ["ansible-playbook", "-i", str(declaration.directory), f"playbooks/{playbook}.yml"]
        command += [word for name, value in words.items() for word in ("-e", f"{name}={value}")]
        settings = {**os.environ, "ART32_RECORDS": str(records), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        if by:
            settings["ART32_PERSON"] = by
        done = subprocess.run(
            command, cwd=ROOT, env=settings, check=False, capture_output=True, text=True, timeout=SECONDS
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def replace_machine() -> Callable[[str], None]:
    """Ends a machine of this scenario with its disk; a bare one takes its name and addresses."""

    def replace(machine: str) -> None:
        release = os.environ.get("ART32_RELEASE") or "trixie"
        prefix = subprocess.check_output([RESOURCES / "names", "prefix"], text=True).strip()
        container = f"{prefix}-{os.environ['MOLECULE_SCENARIO_NAME']}-{release}-{machine}"
        subprocess.run(["podman", "rm", "--force", "--time", "0", container], check=True, capture_output=True)
        create = ["ansible-playbook", "-i", "localhost,", str(RESOURCES / "create.yml")]
        done = subprocess.run(create, check=False, capture_output=True, text=True, cwd=ROOT, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:]

    return replace


def newest(records: Path, pattern: str) -> dict[str, Any]:
    """The newest record whose name fits."""
    return dict(json.loads(max(records.rglob(pattern)).read_text(encoding="utf-8")))


def opened(declaration: Environment) -> dict[str, Any]:
    """The vault's secrets."""
    password = (declaration.directory / ".vault-password").read_text(encoding="utf-8").strip()
    vault = VaultLib([("default", VaultSecret(password.encode()))])
    content = (declaration.directory / "group_vars" / "all" / "vault.yml").read_bytes()
    return dict(yaml.safe_load(vault.decrypt(content)))


def shown(declaration: Environment, records: Path) -> dict[str, str]:
    """What a page shows in the place of this run's own directories, addresses and numbers."""
    places = {"server": "203.0.113.10", "backup": "203.0.113.11", "management": "198.51.100.5"}
    addresses = {
        re.escape(declaration.addresses(name)[0]): address
        for name, address in places.items()
        if name in declaration.groups["all"]
    }
    return {
        **addresses,
        re.escape(str(declaration.directory)): "inventories/production",
        re.escape(str(records)): "evidence/production",
        r"\bserial \d+": "serial 1764522000000",
        r"\bport \d{5}\b": "port 41234",
        r"example\.test": "provider.example",
    }
