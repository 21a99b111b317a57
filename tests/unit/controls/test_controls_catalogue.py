"""The catalogue holds every promise; each has checks and roles that exist."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from controls.catalogue import CATALOGUE, ROLES, CatalogueError, load

if TYPE_CHECKING:
    from pathlib import Path

    from controls.catalogue import Control

PROMISES = {
    *("NET-1", "NET-2", "SSH-1", "DB-1", "LOC-1", "ACC-1", "ACC-2", "ACC-3"),
    *("TLS-1", "LOG-1", "LOG-2", "JOB-1", "BAK-1", "PUR-1"),
}
CONTROLS = CATALOGUE.parent
PAGE = CONTROLS.parent / "docs" / "controls.md"
SECTIONS = (
    *("system landscape", "patch management", "backup concept", "review of traffic"),
    "awareness and permissions",
)
SIX_MONTHS, TWELVE_MONTHS = 182, 366


def checked() -> dict[str, set[str]]:
    """The checks of each control by their names, read from the marks of every test."""
    found: dict[str, set[str]] = {}
    for path in sorted(CONTROLS.glob("test_*.py")):
        module = importlib.import_module(f"controls.{path.stem}")
        for name, member in vars(module).items():
            for mark in getattr(member, "pytestmark", []):
                if mark.name == "control":
                    found.setdefault(mark.args[0], set()).add(name)
    return found


def entry(**changes: object) -> dict[str, object]:
    """A sound entry of a catalogue, with changes."""
    references = {"article_32": ["b"], "iso_27001": ["8.20"]}
    sentences = {"promise": "A port is shut.", "why": "It would be open.", "mend": "Shut it.", "annex": "It is shut."}
    return {"id": "NET-1", **sentences, "roles": ["base"], "references": references, "fresh": 24, **changes}


def test_every_promise_is_in_the_catalogue() -> None:
    assert set(load()) == PROMISES


def test_every_control_has_a_check() -> None:
    assert set(load()) - set(checked()) == set()


def test_every_check_names_an_existing_control() -> None:
    assert set(checked()) - set(load()) == set()


@pytest.mark.parametrize("control", load().values(), ids=list(load()))
def test_every_role_that_is_named_exists(control: Control) -> None:
    missing = [role for role in control.roles if not (ROLES / role / "tasks" / "main.yml").exists()]
    assert not missing


def test_every_control_answers_a_letter_and_a_control_of_annex_a() -> None:
    assert not [name for name, control in load().items() if not control.article_32 or not control.iso_27001]


def test_each_section_of_the_form_is_answered_by_what_exists() -> None:
    """BayLDA's five sections; an answer is a control, or else a role."""
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    answers = {section: rows.get(section, "") for section in SECTIONS}
    for section, answer in answers.items():
        named, roles = set(re.findall(r"\b[A-Z]+-\d\b", answer)), re.findall(r"\brole (\w+)", answer)
        assert named or roles, section
        assert named <= set(load()), section
        assert not [role for role in roles if not (ROLES / role).is_dir()], section


def test_requests_are_kept_for_six_to_twelve_months_unless_declared_otherwise() -> None:
    """As the CNIL recommends for logs."""
    defaults = yaml.safe_load((ROLES / "nginx" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert SIX_MONTHS <= defaults["nginx_log_retention_days"] <= TWELVE_MONTHS


def test_sound_entry_is_accepted(tmp_path: Path) -> None:
    assert set(load(written(tmp_path, [entry()]))) == {"NET-1"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "net one"}, "has to look like NET-1"),
        ({"promise": "A port is shut"}, "promise has to be one sentence"),
        ({"roles": []}, "names no role"),
        ({"fresh": 0}, "1 or more"),
        ({"references": {"article_32": ["e"], "iso_27001": ["8.20"]}}, "Art. 32(1) has no letter e"),
        ({"references": {"article_32": ["b"], "iso_27001": ["8.35"]}}, "Annex A has no control 8.35"),
        ({"references": {"article_32": ["b"], "iso_27001": []}}, "needs a letter"),
        ({"surprise": 1}, "exactly the keys"),
    ],
)
def test_unsound_entry_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(CatalogueError) as refused:
        load(written(tmp_path, [entry(**changes)]))
    assert said in str(refused.value)


def test_control_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="NET-1: is there twice"):
        load(written(tmp_path, [entry(), entry()]))


def written(directory: Path, entries: list[dict[str, object]]) -> Path:
    """A catalogue of its own."""
    path = directory / "catalogue.yml"
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    return path
