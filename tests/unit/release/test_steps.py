"""Which steps are due, from any state an interrupted run may leave."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from ansible_collections.art32.server.plugins.module_utils.release import lock
from ansible_collections.art32.server.plugins.module_utils.release.deployment import retired
from ansible_collections.art32.server.plugins.module_utils.release.model import ReleaseError, State, Step, Wanted, steps
from ansible_collections.art32.server.plugins.module_utils.release.place import Place

if TYPE_CHECKING:
    from pathlib import Path

WANTED = Wanted(name="shop", release="new", migrates=True, owner="shop_owner")
SERVING = State(built=True, migrated=True, current="new", running="new", is_listening=True)
CASES: list[tuple[str, State, list[Step]]] = [
    ("nothing is there", State(), ["build", "migrate", "check", "switch", "restart"]),
    ("it serves", SERVING, []),
    (
        "another one serves",
        State(current="old", running="old", is_listening=True),
        ["build", "migrate", "check", "switch", "restart"],
    ),
    (
        "it was built and migrated",
        State(built=True, migrated=True, current="old", running="old", is_listening=True),
        ["check", "switch", "restart"],
    ),
    (
        "killed before the migration's end",
        State(built=True, current="old", running="old", is_listening=True, owner_may_login=True),
        ["repair", "migrate", "check", "switch", "restart"],
    ),
    (
        "killed between switch and restart",
        State(built=True, migrated=True, current="new", running="old", is_listening=True),
        ["restart"],
    ),
    ("it was stopped", State(built=True, migrated=True, current="new", is_listening=True), ["restart"]),
    ("its socket was stopped", State(built=True, migrated=True, current="new", running="new"), ["restart"]),
    (
        "Debian's Python is another one",
        State(current="new", running="new", is_listening=True),
        ["build", "migrate", "restart"],
    ),
]


@pytest.mark.parametrize(("state", "due"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_steps(state: State, due: list[Step]) -> None:
    assert list(steps(WANTED, state)) == due


def test_without_migrations_none_are_run() -> None:
    assert "migrate" not in steps(Wanted(name="shop", release="new"), State())


def make_release(place: Place, identity: str, released: str = "") -> None:
    directory = place.release(identity)
    (directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}").mkdir(parents=True)
    (directory / "bin").mkdir()
    (directory / "bin" / "python").symlink_to(sys.executable)
    place.write_note(identity, {"release": identity, **({"released": released} if released else {})})


def test_refused_releases_go_first_and_the_current_one_never(tmp_path: Path) -> None:
    place = Place("shop", tmp_path)
    for identity, released in [("a", "2026-01"), ("b", "2026-02"), ("c", "2026-03"), ("refused", "")]:
        make_release(place, identity, released)
    assert place.prune(keep=3, spare=["c"]) == ["refused"]
    assert place.prune(keep=1, spare=["a", "c"]) == ["b"]


def test_a_release_of_another_python_is_not_one(tmp_path: Path) -> None:
    place = Place("shop", tmp_path)
    make_release(place, "a")
    assert place.note("a") == {"release": "a"}
    libraries = place.release("a") / "lib"
    next(libraries.iterdir()).rename(libraries / "python3.5")
    assert place.note("a") == {}


def test_links_move_in_one_step(tmp_path: Path) -> None:
    place = Place("shop", tmp_path)
    place.home.mkdir()
    assert place.linked("current") == ""
    for identity in ("a", "b"):
        place.link("current", identity)
        assert place.linked("current") == identity
    assert [path.name for path in place.home.iterdir()] == ["current"]


def test_only_services_with_units_are_retired(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    for name in ("kept", "gone", "ended"):
        (tmp_path / name / "releases").mkdir(parents=True)
    for name in ("kept", "gone"):
        (units / f"art32-{name}.service").touch()
    assert retired(["kept"], root=tmp_path, units=units) == ["gone"]


def test_a_second_release_is_told_who_has_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held("jane", timeout=0, path=path):
        assert json.loads(path.read_text())["by"] == "jane"
        with pytest.raises(ReleaseError, match=r"jane since .*lock_timeout"), lock.held("joe", timeout=0, path=path):
            pass
    with lock.held("joe", timeout=0, path=path):
        assert json.loads(path.read_text())["by"] == "joe"
