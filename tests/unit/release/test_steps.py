"""Which steps are due, from any state an interrupted run may leave."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.release import back, guard, lock, maintenance
from ansible_collections.art32.server.plugins.module_utils.release.deployment import inspect, retired
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


WORKING = Wanted(name="shop", release="new", processes=("worker",), jobs=("note",))


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({"processes": {"worker": "new"}}, []),
        ({"processes": {"worker": "old"}}, ["processes"]),
        ({"processes": {"worker": ""}}, ["processes"]),
        ({"processes": {"worker": "new"}, "undeclared": ("art32-shop.gone.timer",)}, ["tidy"]),
        ({"processes": {"worker": "new"}, "in_maintenance": True}, ["repair"]),
        ({"processes": {"worker": "new"}, "running": "old"}, ["restart"]),
        (
            {"processes": {"worker": "old"}, "running": "old", "current": "old"},
            ["check", "switch", "restart", "processes"],
        ),
    ],
)
def test_steps_with_further_programs(state: dict[str, Any], due: list[Step]) -> None:
    assert list(steps(WORKING, replace(SERVING, **state))) == due


def test_units_that_no_program_has_are_found_with_the_timer_first(tmp_path: Path) -> None:
    names = ("art32-shop.worker.service", "art32-shop.note.service", "art32-shop.note.timer", "art32-shopping.a.timer")
    for name in (*names, "art32-shop.old.service", "art32-shop.old.timer", "art32-shop.service"):
        (tmp_path / name).touch()
    state = inspect(WORKING, {}, root=tmp_path / "srv", units=tmp_path)
    assert state.undeclared == ("art32-shop.old.timer", "art32-shop.old.service")


@pytest.fixture
def served(tmp_path: Path) -> Place:
    """Three releases that served, the last of which does, and one that never did."""
    place = Place("shop", tmp_path)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for number, identity in enumerate(("aa01", "bb02", "cc03", "dd04")):
        (place.release(identity) / "lib" / version).mkdir(parents=True)
        (place.release(identity) / "bin").mkdir()
        (place.release(identity) / "bin" / "python").touch()
        note = {"release": identity} | ({"released": f"2026-11-0{number}"} if identity != "dd04" else {})
        place.write_note(identity, note)
    place.link("current", "cc03")
    return place


def test_the_way_back_leads_to_what_served_before(served: Place) -> None:
    assert back.target(served, "previous") == "bb02"
    assert back.target(served, "aa") == "aa01"


def test_a_release_that_was_taken_back_is_not_gone_back_to_by_itself(served: Place) -> None:
    back.withdraw(served, "bb02", by="jane", reason="slow")
    assert back.target(served, "previous") == "aa01"
    assert back.target(served, "bb02") == "bb02"
    assert "jane took it back on " in back.withdrawal(served, "bb02")
    assert back.withdrawal(served, "bb02").endswith("(slow)")
    assert back.withdrawal(served, "aa01") == ""


@pytest.mark.parametrize("wanted", ["dd04", "cc03", "ee"])
def test_what_never_served_is_not_gone_back_to(served: Place, wanted: str) -> None:
    with pytest.raises(ReleaseError, match=rf"no release {wanted} to go back to; those that served before: bb02, aa01"):
        back.target(served, wanted)


def test_a_maintenance_of_a_release_leaves_the_operators_own_alone(tmp_path: Path) -> None:
    places = {"flags": tmp_path / "flags", "environment": tmp_path / "environment"}
    maintenance.begin("shop", **places)
    assert maintenance.is_on("shop", environment=places["environment"])
    maintenance.end("shop", **places)
    (places["flags"] / "shop").touch()
    maintenance.end("shop", **places)
    assert (places["flags"] / "shop").exists()
    assert not maintenance.is_on("shop", environment=places["environment"])


def test_a_maintenance_is_a_releases_own_before_visitors_are_told(tmp_path: Path) -> None:
    """Killed in between, it is known again; the other way round, the page would stay as if an operator's."""
    (tmp_path / "flags").touch()
    with pytest.raises(FileExistsError):
        maintenance.begin("shop", flags=tmp_path / "flags", environment=tmp_path / "environment")
    assert maintenance.is_on("shop", environment=tmp_path / "environment")


def test_the_program_beside_a_migration_has_all_its_parts(tmp_path: Path) -> None:
    (tmp_path / "app-resume").write_bytes(guard.program())
    imported = "import sys; sys.path.insert(0, sys.argv[1]); from art32_release.resume import start; print(start)"
    command = [sys.executable, "-I", "-c", imported, str(tmp_path / "app-resume")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "function start" in told.stdout, told.stderr


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
