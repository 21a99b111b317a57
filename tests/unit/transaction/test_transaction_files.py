"""Paths: how they differ, how they are kept, how they come back."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import md5
from pathlib import Path

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import (
    compare,
    disk,
    files,
    install,
    program,
    redact,
    restore,
    snapshot,
    stage,
)
from ansible_collections.art32.server.plugins.module_utils.transaction.model import (
    File,
    Request,
    TransactionError,
    Validation,
)

ME, MY_GROUP = str(os.getuid()), str(os.getgid())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to change, with what is kept beside it."""
    saved = tmp_path / "saved"
    saved.mkdir()
    monkeypatch.setattr(snapshot, "SAVED", saved)
    monkeypatch.setattr(restore, "SAVED", saved)
    live = tmp_path / "live"
    live.mkdir()
    return live


def declared(path: Path, **given: object) -> File:
    return File(path=str(path), owner=ME, group=MY_GROUP, **given)  # type: ignore[arg-type]


def request_for(*entries: File) -> Request:
    return Request(name="x", token="", owner="", files=entries)


def test_differences_are_named(place: Path) -> None:
    path = place / "x"
    wanted = declared(path, content=b"new", mode=0o600)
    assert files.differences(wanted, files.find(str(path))) == ("kind",)
    path.write_bytes(b"old")
    path.chmod(0o644)
    assert files.differences(wanted, files.find(str(path))) == ("content", "mode")
    path.write_bytes(b"new")
    path.chmod(0o600)
    assert files.differences(wanted, files.find(str(path))) == ()
    unknown = File(path=str(path), content=b"new", mode=0o600, owner="no-such-user", group=MY_GROUP)
    assert files.differences(unknown, files.find(str(path))) == ("owner",)


def test_a_link_is_compared_by_its_target(place: Path) -> None:
    path = place / "x"
    path.symlink_to("there")
    assert files.differences(declared(path, link="there"), files.find(str(path))) == ()
    assert files.differences(declared(path, link="elsewhere"), files.find(str(path))) == ("target",)
    assert files.differences(declared(path, content=b""), files.find(str(path))) == ("kind",)


def test_undeclared_files_are_found_and_directories_and_hidden_ones_are_not(place: Path) -> None:
    for name in ("mine.conf", "foreign.conf", ".hidden.conf"):
        (place / name).touch()
    (place / "directory.conf").mkdir()
    assert files.undeclared([f"{place}/*.conf"], [f"{place}/mine.conf"]) == (f"{place}/foreign.conf",)


def test_everything_comes_back(place: Path) -> None:
    old, link, gone, new = (place / name for name in ("old", "link", "tree", "new"))
    old.write_text("old")
    old.chmod(0o640)
    link.symlink_to("old")
    (gone / "deep").mkdir(parents=True)
    (gone / "deep" / "leaf").write_text("leaf")
    records = [*snapshot.keep([str(old), str(link), str(gone)]), *snapshot.keep([str(new)])]
    records += [snapshot.absent(str(place / "made"), only_if_empty=True)]
    install.install(
        [declared(old, content=b"changed"), declared(link, link="new"), declared(new, content=b"")], [str(gone)]
    )
    (place / "made").mkdir()
    assert not gone.exists()
    report = restore.Report({"token": "", "name": "x"}, "a test")
    restore.restore_paths({"paths": records}, report)
    assert (old.read_text(), old.stat().st_mode & 0o777, link.readlink().name) == ("old", 0o640, "old")
    assert (gone / "deep" / "leaf").read_text() == "leaf"
    assert sorted(path.name for path in place.iterdir()) == ["link", "old", "tree"]
    assert (report.problems, report.complete) == ([], True)


def test_a_directory_with_something_else_in_it_stays(place: Path) -> None:
    made = place / "made"
    made.mkdir()
    (made / "data").touch()
    report = restore.Report({"token": "", "name": "x"}, "a test")
    restore.restore_paths({"paths": [snapshot.absent(str(made), only_if_empty=True)]}, report)
    assert report.notes == [f"left {made}, which is not empty"]
    assert (made / "data").exists()


def test_nothing_is_renamed_when_one_file_cannot_be_written(place: Path) -> None:
    first, second = place / "first", place / "missing" / "second"
    with pytest.raises(TransactionError, match="its directory does not exist; declare it in directories"):
        install.install([declared(first, content=b"1"), declared(second, content=b"2")], [])
    assert list(place.iterdir()) == []


def test_an_unknown_owner_is_named(place: Path) -> None:
    with pytest.raises(TransactionError, match="there is no user no-such-user"):
        install.install([File(path=str(place / "x"), owner="no-such-user")], [])


def test_a_file_is_written_whole_or_not_at_all(place: Path) -> None:
    path = place / "x"
    disk.replace_whole(path, b"old")
    with pytest.raises(TypeError):
        disk.replace_whole(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_secret_is_in_no_diff(place: Path) -> None:
    path = place / "x"
    path.write_text("old secret")
    before, after = compare.file_diff(declared(path, content=b"new secret", secret=True), files.find(str(path)))
    assert "secret" not in (before + after).replace("[secret, not shown", "")


@pytest.mark.parametrize(
    ("content", "shown"), [(b"\xff\xfe", "[2 bytes, not text]\n"), (b"x" * 200_000, "[200000 bytes, not shown]\n")]
)
def test_what_is_no_text_is_described(content: bytes, shown: str) -> None:
    assert compare.file_diff(File(path="/x", content=content), files.ABSENT) == ("", shown)


def test_a_tools_quote_of_a_secret_is_hidden() -> None:
    request = request_for(
        File(path="/x", content=b"password = hunter2hunter2\n", secret=True), File(path="/y", content=b"directive")
    )
    assert redact.redact("line 1: 'hunter2hunter2' near directive", request) == "line 1: '********' near directive"


def test_a_validation_speaks_in_the_tools_words_about_the_live_path(tmp_path: Path) -> None:
    request = request_for(declared(Path("/etc/demo.json"), content=b"{"))
    stage.write(request, tmp_path)
    judge = Validation(command=("sh", "-c", 'echo "$0: bad" >&2; exit 3', "{staged:/etc/demo.json}"))
    with pytest.raises(TransactionError, match=r"\n/etc/demo.json: bad$"):
        stage.validate(request, judge, tmp_path, ())


def test_a_missing_validator_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(stage.NotValidated, match="no-such-tool is not installed"):
        stage.validate(request_for(), Validation(command=("no-such-tool",)), tmp_path, ())


def test_the_program_runs_from_one_file(tmp_path: Path) -> None:
    path = tmp_path / "art32-revert"
    path.write_bytes(program.archive())
    done = subprocess.run([sys.executable, "-I", path, "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Return this host to its last confirmed state" in done.stdout


def test_a_packages_own_file_is_as_shipped_until_it_is_changed(tmp_path: Path) -> None:
    shipped, other = tmp_path / "README", tmp_path / "other"
    shipped.write_bytes(b"shipped\n")
    other.write_bytes(b"shipped\n")
    status = tmp_path / "status"
    status.write_text(
        f"Package: sudo\nConffiles:\n {shipped} {md5(shipped.read_bytes(), usedforsecurity=False).hexdigest()}\n"
    )
    paths = [str(shipped), str(other)]
    assert files.as_shipped(paths, status=status) == {str(shipped)}
    shipped.write_bytes(b"changed\n")
    assert files.as_shipped(paths, status=status) == set()
