"""What makes an environment complete, and what happens around a build that cannot succeed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible_collections.art32.server.plugins.module_utils import virtualenv
from ansible_collections.art32.server.plugins.module_utils.virtualenv import (
    Specification,
    VirtualenvError,
    build,
    ensure,
    fingerprint,
    interpreter_version,
    is_complete,
)

# Debian's own, as on a host: the pip that Debian ships need not run with any other.
PYTHON = "/usr/bin/python3"
NOTHING = Specification(requirements="", python=PYTHON)


@pytest.fixture(autouse=True)
def _debians_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Debian's package is missing, this interpreter's bundled pip stands in for it."""
    import ensurepip  # noqa: PLC0415 - not on every Debian

    bundled = Path(ensurepip.__file__).parent / "_bundled"
    if not any(virtualenv.PIP_WHEELS.glob("pip-*.whl")):
        monkeypatch.setattr(virtualenv, "PIP_WHEELS", bundled)


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    file = tmp_path / "art32_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("art32_probe.py", "answer = 32\n")
        archive.writestr(
            "art32_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: art32-probe\nVersion: 1.0\n"
        )
        archive.writestr(
            "art32_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("art32_probe-1.0.dist-info/RECORD", "")
    return str(file)


def test_fingerprint_depends_on_each_input(wheel: str) -> None:
    base = Specification(requirements="a")
    prints = {
        fingerprint(base, "3.11"),
        fingerprint(base, "3.13"),
        fingerprint(Specification(requirements="b"), "3.11"),
        fingerprint(Specification(requirements="a", python="/usr/bin/python3.11"), "3.11"),
        fingerprint(Specification(requirements="a", wheels=(wheel,)), "3.11"),
    }
    assert len(prints) == 5


def test_a_missing_wheel_is_named() -> None:
    with pytest.raises(VirtualenvError, match=r"/nowhere\.whl cannot be read"):
        fingerprint(Specification(requirements="", wheels=("/nowhere.whl",)), "3.11")


def test_an_interpreter_that_does_not_run_is_named() -> None:
    with pytest.raises(VirtualenvError, match=r"/nowhere/python does not run"):
        interpreter_version("/nowhere/python")


def test_a_wheel_is_installed_once(tmp_path: Path, wheel: str) -> None:
    spec = Specification(requirements="", python=PYTHON, wheels=(wheel,))
    directory = tmp_path / "environment"
    assert build(directory, spec)
    assert list(directory.glob("lib/*/site-packages/art32_probe.py"))
    assert not list(directory.glob("lib/*/site-packages/pip*"))
    assert not build(directory, spec)


@pytest.mark.parametrize(
    ("hashes", "complaint"),
    [
        ("", r"pip refused the requirements: ERROR: Hashes are required"),
        (f" --hash=sha256:{'0' * 64}", r"DO NOT MATCH THE HASHES.*Expected sha256 0000"),
    ],
)
def test_requirements_must_have_the_right_hashes(tmp_path: Path, wheel: str, hashes: str, complaint: str) -> None:
    spec = Specification(requirements=f"art32-probe @ file://{wheel}{hashes}\n", python=PYTHON)
    with pytest.raises(VirtualenvError, match=complaint):
        build(tmp_path / "environment", spec)
    assert not (tmp_path / "environment").exists()


def test_an_interrupted_build_is_done_again(tmp_path: Path) -> None:
    directory = tmp_path / "environment"
    directory.mkdir()
    (directory / virtualenv.UNFINISHED).touch()
    (directory / "half").touch()
    assert build(directory, NOTHING)
    assert not (directory / "half").exists()


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(VirtualenvError, match="is no virtual environment"):
        build(tmp_path, NOTHING)
    assert (tmp_path / "precious").exists()


def test_an_environment_without_its_interpreter_is_incomplete(tmp_path: Path) -> None:
    directory = tmp_path / "environment"
    build(directory, NOTHING)
    expected = fingerprint(NOTHING, interpreter_version(PYTHON))
    assert is_complete(directory, expected)
    (directory / "bin" / "python").unlink()
    assert not is_complete(directory, expected)


def test_the_link_moves_to_the_new_environment(tmp_path: Path, wheel: str) -> None:
    path = tmp_path / "tool"
    first = ensure(path, NOTHING)
    second = ensure(path, Specification(requirements="", python=PYTHON, wheels=(wheel,)))
    assert (first.changed, second.changed) == (True, True)
    assert path.resolve() == second.directory
    assert second.removed == (first.directory,)
    assert not first.directory.exists()


def test_a_failed_build_keeps_the_old_environment(tmp_path: Path, wheel: str) -> None:
    path = tmp_path / "tool"
    first = ensure(path, NOTHING)
    with pytest.raises(VirtualenvError):
        ensure(path, Specification(requirements=f"art32-probe @ file://{wheel}\n", python=PYTHON))
    assert path.resolve() == first.directory
    assert (path / "bin" / "python").exists()


def test_check_mode_predicts_and_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tool"
    assert ensure(path, NOTHING, check_mode=True).changed
    assert not any(tmp_path.iterdir())
    ensure(path, NOTHING)
    assert not ensure(path, NOTHING, check_mode=True).changed


def test_a_place_taken_by_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    with pytest.raises(VirtualenvError, match="is no link"):
        ensure(tmp_path / "tool", NOTHING)
