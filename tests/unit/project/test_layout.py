"""What has to agree across the project: specs with defaults, jobs with scenarios, pins with ranges."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
# What runs on the controller: every scenario begins with some; backup, people and tests/unit/cloud prove the others.
ON_THE_CONTROLLER = {
    *("bootstrap", "login", "preflight", "audit", "machine_identity", "host_certificate"),
    *("person", "secret", "cloud", "watch"),
}
# What a role's task may be: the site runs the roles once without their hosts (docs/site.md).
SURVEYED = {
    f"art32.server.{name}"
    for name in (
        *("transaction", "accounts", "postgresql_access", "certificate", "release", "machine_identity", "once"),
        *("preflight", "login", "host_certificate", "virtualenv", "watch"),
    )
}
HOSTLESS = {f"ansible.builtin.{name}" for name in ("import_tasks", "include_tasks", "set_fact")}
# What another one's scenario takes along.
SCENARIO_OF = {"once": "survey", "watch": "default", "bucket": "backup_s3"}
MODULES = sorted(
    path.stem
    for path in (ROOT / "plugins" / "modules").glob("*.py")
    if path.stem not in ON_THE_CONTROLLER and path.stem != "__init__"
)


def load(path: Path) -> Any:  # noqa: ANN401 - YAML holds anything
    """Read a YAML file; an absent one is empty."""
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def options(role: str) -> dict[str, Any]:
    """The documented options of a role."""
    specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    return dict(specs["main"].get("options", {}))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_documented_options(role: str) -> None:
    defaults = {name for name in load(ROOT / "roles" / role / "defaults" / "main.yml") if not name.startswith("__")}
    assert defaults <= set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_optional_options_have_a_default(role: str) -> None:
    defaults = set(load(ROOT / "roles" / role / "defaults" / "main.yml"))
    optional = {name for name, option in options(role).items() if not option.get("required", False)}
    assert {name for name in optional if name.startswith(f"{role}_")} <= defaults


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_explained(role: str) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_not_include_another(role: str) -> None:
    tasks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "roles" / role / "tasks").rglob("*.yml"))
    assert "include_role" not in tasks
    assert "import_role" not in tasks


def actions(tasks: list[dict[str, Any]]) -> set[str]:
    """The actions of some tasks, those inside blocks too."""
    found: set[str] = set()
    for task in tasks:
        inner = [task[part] for part in ("block", "rescue", "always") if part in task]
        found |= {key for key in task if "." in key}.union(*(actions(block) for block in inner))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_survey_can_note_every_task(role: str) -> None:
    files = (ROOT / "roles" / role / "tasks").rglob("*.yml")
    assert set().union(*(actions(load(path)) for path in files)) <= SURVEYED | HOSTLESS


@pytest.mark.parametrize("name", ROLES + MODULES)
def test_every_role_and_module_has_a_scenario(name: str) -> None:
    assert SCENARIO_OF.get(name, name) in SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_run(scenario: str) -> None:
    jobs = load(ROOT / "tests" / "jobs.yml")
    commands = [job["run"].replace(" --no-command-borders", "") for job in jobs["test"]]
    assert ("molecule test" if scenario == "default" else f"molecule test -s {scenario}") in commands
    assert f"tests/molecule {scenario} bookworm" in [job["run"] for job in jobs["bookworm"]]


def test_the_collections_named_are_the_ones_installed() -> None:
    wanted = {entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]}
    assert wanted == load(ROOT / "galaxy.yml")["dependencies"]
    listed = subprocess.run(
        [Path(sys.executable).parent / "ansible-galaxy", "collection", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    folders = json.loads(listed.stdout).values()
    installed = {name: entry["version"] for folder in folders for name, entry in folder.items()}
    outside = {name for name, versions in wanted.items() if Version(installed[name]) not in SpecifierSet(versions)}
    assert outside == set()


def test_the_licence_is_the_one_declared() -> None:
    assert load(ROOT / "galaxy.yml")["license"] == ["GPL-3.0-or-later"]
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_no_file_has_the_marks_of_an_unfinished_merge() -> None:
    marks = [f"-e^{mark * 7} " for mark in "<>"]
    command = ["git", "-c", "safe.directory=*", "grep", "-lE", *marks]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_requirements_are_pinned_with_hashes_and_name_no_registry() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
