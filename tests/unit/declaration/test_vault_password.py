"""Which environment's password a command gets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "vault-password"
PLACEHOLDER = "no-environment-no-secrets"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    directory = tmp_path / "inventories" / "production"
    directory.mkdir(parents=True)
    (directory / ".vault-password").write_text("of production\n", encoding="utf-8")
    (directory / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    return directory


def asked_by(command: list[str], tmp_path: Path, **variables: str) -> str:
    """What the script prints as the child of an Ansible command with these words."""
    fake = tmp_path / "ansible-playbook"
    fake.write_text(f'#!/bin/sh\n"{SCRIPT}"\ntrue\n', encoding="utf-8")
    fake.chmod(0o755)
    (tmp_path / "ansible.cfg").touch()
    clean = {"PATH": os.environ["PATH"], "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    words = [str(fake), *command]
    done = subprocess.run(words, cwd=tmp_path, env=clean | variables, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "words",
    [
        ["-i", "inventories/production", "site.yml"],
        ["-iinventories/production", "site.yml"],
        ["--inventory=inventories/production/hosts.yml", "site.yml"],
        ["site.yml", "--inventory", "inventories/production/"],
    ],
)
def test_the_inventory_on_the_command_line_decides(words: list[str], tmp_path: Path, environment: Path) -> None:
    assert asked_by(words, tmp_path) == "of production"


def test_a_named_file_decides_before_all_others(tmp_path: Path, environment: Path) -> None:
    (tmp_path / "mine").write_text("my own\n", encoding="utf-8")
    named = str(tmp_path / "mine")
    assert asked_by(["-i", "inventories/production"], tmp_path, ART32_VAULT_PASSWORD_FILE=named) == "my own"


def test_the_inventory_variable_decides_without_a_word(tmp_path: Path, environment: Path) -> None:
    assert asked_by(["site.yml"], tmp_path, ANSIBLE_INVENTORY=str(environment)) == "of production"


def test_the_configured_inventory_comes_last(tmp_path: Path, environment: Path) -> None:
    (tmp_path / "own.cfg").write_text("[defaults]\ninventory = inventories/production\n", encoding="utf-8")
    assert asked_by(["site.yml"], tmp_path, ANSIBLE_CONFIG=str(tmp_path / "own.cfg")) == "of production"


def test_a_command_without_environment_gets_a_placeholder(tmp_path: Path) -> None:
    assert asked_by(["-i", "localhost,"], tmp_path) == PLACEHOLDER
