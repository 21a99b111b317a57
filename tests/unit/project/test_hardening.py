"""Each name of base_hardening is declared once, explained everywhere, and has something that belongs to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "base"


def load(name: str) -> Any:  # noqa: ANN401 - YAML holds anything
    """Read a file of the role."""
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


NAMES = load("defaults/main.yml")["base_hardening"]
VARIABLES = load("vars/main.yml")


def test_every_name_is_on_and_explained() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]["base_hardening"]["options"]
    page = (ROOT / "docs" / "hardening.md").read_text(encoding="utf-8")
    assert set(NAMES.values()) == {True}
    assert list(options) == list(NAMES)
    assert {option["default"] for option in options.values()} == {True}
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(NAMES)


def test_every_name_has_something_that_can_be_taken_back() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROLE / "templates").rglob("*.j2")]
    whole = "\n".join([*texts, (ROLE / "vars" / "main.yml").read_text(encoding="utf-8")])
    declared = {one["of"] for one in VARIABLES["__base_kernel_settings"]} | set(VARIABLES["__base_modules"])
    asked = set(re.findall(r"'(\w+)' (?:not )?in __base_off", whole))
    assert declared | asked == set(NAMES)


def test_every_setting_of_the_kernel_says_why() -> None:
    settings = VARIABLES["__base_kernel_settings"]
    assert all(one["why"].endswith(".") for one in settings)
    assert len({one["key"] for one in settings}) == len(settings)
    assert list(VARIABLES["__base_module_groups"]) == list(VARIABLES["__base_modules"])


def test_each_thing_that_the_scanner_does_not_get_has_its_reason() -> None:
    lines = (ROOT / "controls" / "lynis.prf").read_text(encoding="utf-8").splitlines()
    skipped = [number for number, line in enumerate(lines) if line.startswith("skip-test=")]
    assert len(skipped) <= 10
    assert all(lines[number - 1].startswith(("# ", "skip-test=")) for number in skipped)
