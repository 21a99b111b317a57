"""One person comes, works and leaves. Every operation is the operator's own command."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import yaml
from conftest import ROOT, SECONDS, newest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Play

    from controls.environment import Environment
    from controls.machine import Machine


def outcomes(record: dict[str, Any]) -> dict[str, str]:
    return {trial["layer"]: trial["found"] for trial in record["trials"]}


def people(declaration: Environment) -> list[str]:
    text = (declaration.directory / "group_vars/all/people.yml").read_text(encoding="utf-8")
    assert text.startswith("---\n# Who has access to what")
    return [person["name"] for person in yaml.safe_load(text)["people"]]


def test_a_person_comes(play: Play, declaration: Environment, records: Path) -> None:
    code, said = play("onboard", person="kim", email="kim@example.test", ssh="user", database="readonly")
    assert code == 0, said
    assert people(declaration) == ["jane", "joe", "kim"]
    record = newest(records, "*-onboard-kim.json")
    assert record["proved"]
    assert outcomes(record) == {"ssh": "in", "database": "in"}
    assert record["by"] == "jane"


def test_a_person_leaves_while_working(play: Play, declaration: Environment, records: Path, server: Machine) -> None:
    server.check_output("systemd-run --uid=kim --unit=kims-work --property=SuccessExitStatus=SIGKILL sleep 1000")
    assert server.check_output("pgrep -u kim -l").endswith("sleep")
    code, said = play("offboard", person="kim", reason="left")
    assert code == 0, said
    assert people(declaration) == ["jane", "joe"]
    record = newest(records, "*-offboard-kim.json")
    assert record["proved"], record
    assert outcomes(record) == {"ssh": "out", "database": "out", "processes": "out", "connections": "out"}
    said_by_layer = {trial["layer"]: trial["said"] for trial in record["trials"]}
    assert "Permission denied" in said_by_layer["ssh"]
    assert "kim" in (declaration.directory / "group_vars/all/revocations.yml").read_text(encoding="utf-8")
    code, said = play("offboard", person="kim", reason="left")
    assert code == 0, said


def test_who_runs_it_cannot_be_taken_out_nor_a_misspelt_name(play: Play, declaration: Environment) -> None:
    code, said = play("offboard", person="jane")
    assert code == 2
    assert "person: jane is not allowed; somebody else" in said
    code, said = play("offboard", person="jo")
    assert code == 2
    assert "person: jo is not allowed; the name of a person (did you mean joe?)" in said
    assert people(declaration) == ["jane", "joe"]


def test_a_way_in_that_was_left_is_found(declaration: Environment, records: Path) -> None:
    """The trial turns red: joe is still in, and is said to have left."""
    command = ["scripts/try-access", str(declaration.directory), "person", "joe", "--operation", "offboard"]
    settings = {**os.environ, "ART32_RECORDS": str(records), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=settings, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT AS WANTED: ssh on server is in: logged in" in done.stdout
    assert "NOT AS WANTED: database on server is in: logged in" in done.stdout
    assert not newest(records, "*-offboard-joe.json")["proved"]
