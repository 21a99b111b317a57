"""What decides a release's id, and what cannot be a source."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.release.source import SourceError, find, release_id

if TYPE_CHECKING:
    from pathlib import Path

PINNED = "shop==2.1 --hash=sha256:aa\n"


def identity(declared: dict[str, Any], base: Path, server: str = "") -> str:
    return release_id(find(declared, bases=[base], server=server))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (directory / "shop.py").write_text("application = 1\n")
    return directory


def test_the_same_wheel_is_the_same_release(tmp_path: Path) -> None:
    wheel = tmp_path / "shop-1-py3-none-any.whl"
    wheel.write_bytes(b"one")
    first = identity({"wheel": wheel.name}, tmp_path)
    assert identity({"wheel": str(wheel)}, tmp_path) == first
    wheel.write_bytes(b"two")
    assert identity({"wheel": wheel.name}, tmp_path) != first


def test_requirements_and_the_server_make_another_release(tmp_path: Path) -> None:
    (tmp_path / "shop-1-py3-none-any.whl").write_bytes(b"one")
    (tmp_path / "locked.txt").write_text(PINNED)
    plain = identity({"wheel": "shop-*.whl"}, tmp_path)
    locked = identity({"wheel": "shop-*.whl", "requirements": "locked.txt"}, tmp_path)
    served = identity({"wheel": "shop-*.whl"}, tmp_path, server="gunicorn==27.0.1 --hash=sha256:bb")
    assert len({plain, locked, served}) == 3


def test_a_checkout_is_its_files(checkout: Path, tmp_path: Path) -> None:
    first = identity({"checkout": "shop"}, tmp_path)
    (checkout / "dist").mkdir()
    (checkout / "dist" / "shop-1.whl").write_bytes(b"left by a build")
    (checkout / "__pycache__").mkdir()
    (checkout / "__pycache__" / "shop.pyc").write_bytes(b"left by a test")
    assert identity({"checkout": "shop"}, tmp_path) == first
    (checkout / "shop.py").write_text("application = 2\n")
    assert identity({"checkout": "shop"}, tmp_path) != first


def test_git_says_what_belongs_to_a_checkout(checkout: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    (checkout / ".gitignore").write_text("secret.env\n")
    first = identity({"checkout": "shop"}, tmp_path)
    (checkout / "secret.env").write_text("ignored")
    assert identity({"checkout": "shop"}, tmp_path) == first


def test_requirements_beside_a_checkout_are_taken(checkout: Path, tmp_path: Path) -> None:
    (checkout / "requirements.txt").write_text(PINNED)
    assert "shop==2.1" in find({"checkout": "shop"}, bases=[tmp_path], server="").requirements


def test_the_first_place_wins(tmp_path: Path) -> None:
    for place in ("first", "second"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "shop.whl").write_text(place)
    source = find({"wheel": "shop.whl"}, bases=[tmp_path / "first", tmp_path / "second"], server="")
    assert source.wheel == tmp_path / "first" / "shop.whl"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"wheel": "missing.whl"}, "missing.whl: not found in"),
        ({"wheel": "*.whl"}, "2 files match, a.whl, b.whl"),
        ({"wheel": "notes.txt"}, "is no wheel"),
        ({"checkout": "empty"}, "has no pyproject.toml"),
        ({"wheel": "a.whl", "requirements": "notes.txt"}, "requirements: flask: has no hash"),
        ({"package": "shop", "version": "2.1"}, "do not pin shop==2.1"),
        ({"package": "shop", "version": "2.2", "requirements": "locked.txt"}, "do not pin shop==2.2"),
    ],
)
def test_what_cannot_become_a_release(tmp_path: Path, declared: dict[str, Any], told: str) -> None:
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").write_text("flask\n")
    (tmp_path / "locked.txt").write_text(PINNED)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=told.replace("*", r"\*")):
        find(declared, bases=[tmp_path], server="")
