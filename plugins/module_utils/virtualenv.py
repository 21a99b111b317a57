# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Python virtual environments that are either complete or absent.

An environment is built at its final place, because it cannot be moved, and becomes true with the last file
written: a marker with the fingerprint of everything it was made of. `build` makes one directory; `ensure` keeps
a stable link to the newest of several, so that the old one serves until the new one works.

pip comes from Debian's own wheel (package python3-venv) and stays outside: an environment needs no installer
afterwards, and making one takes milliseconds instead of seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARGUMENTS",
    "Outcome",
    "Specification",
    "VirtualenvError",
    "build",
    "ensure",
    "fingerprint",
    "interpreter_version",
    "is_complete",
    "look",
    "specification",
]

ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "requirements": {"type": "str", "required": True},
    "wheels": {"type": "list", "elements": "path", "default": []},
    "python": {"type": "path", "default": "/usr/bin/python3"},
}

MARKER = ".complete"
UNFINISHED = ".building"
PIP_WHEELS = Path("/usr/share/python-wheels")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BUILD_SECONDS = 1800
QUERY_SECONDS = 30
MESSAGE_LINES = 8


class VirtualenvError(Exception):
    """The environment could not be made; the message says why and what to change."""


@dataclass(frozen=True, kw_only=True)
class Specification:
    """What an environment is made of.

    `requirements` is the text of a requirements file in which every line has its hashes. `wheels` are files on
    this host that are installed after it, without looking for anything else.
    """

    requirements: str
    python: str = "/usr/bin/python3"
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What `ensure` did or, in check mode, would do."""

    changed: bool
    directory: Path
    version: str
    fingerprint: str
    removed: tuple[Path, ...] = ()


def interpreter_version(python: str) -> str:
    """The interpreter's feature version, as in "3.13": what installed packages are bound to."""
    command = [python, "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise VirtualenvError(f"{python} does not run as a Python interpreter: {error} (python)") from error
    return answer.stdout.strip()


def fingerprint(spec: Specification, version: str) -> str:
    """A SHA-256 over all that decides what is installed: requirements, interpreter, content of the wheels."""
    wheels = [[Path(wheel).name, _sha256(Path(wheel))] for wheel in spec.wheels]
    inputs = {"requirements": spec.requirements, "python": [spec.python, version], "wheels": wheels}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def is_complete(directory: Path, expected: str) -> bool:
    """Whether the directory holds a finished environment of this fingerprint whose interpreter still exists."""
    try:
        marker = (directory / MARKER).read_text(encoding="ascii").strip()
    except OSError:
        return False
    return marker == expected and (directory / "bin" / "python").exists()


def look(arguments: Mapping[str, Any]) -> Look:
    """Whether the environment would have to be made, from a task's arguments."""
    path = Path(arguments["path"])
    outcome = ensure(path, specification(arguments), check_mode=True)
    return Look(differences=(f"{path}: Make the virtual environment",) if outcome.changed else ())


def specification(arguments: Mapping[str, Any]) -> Specification:
    """What a task's arguments say of an environment."""
    return Specification(
        requirements=arguments["requirements"], python=arguments["python"], wheels=tuple(arguments["wheels"])
    )


def build(directory: Path, spec: Specification) -> bool:
    """Make the environment in `directory`, unless it is there; say whether it had to be made.

    What an interrupted build left is replaced. Raises VirtualenvError, with nothing left behind, when the
    interpreter or pip fails, and touches nothing when the directory holds something else.
    """
    expected = fingerprint(spec, interpreter_version(spec.python))
    if is_complete(directory, expected):
        return False
    _clear(directory)
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    (directory / UNFINISHED).touch()
    try:
        _fill(directory, spec)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    _finish(directory, expected)
    return True


def ensure(path: Path, spec: Specification, *, check_mode: bool = False) -> Outcome:
    """Make `path` a link to a complete environment beside it, named after its fingerprint.

    The link moves in one step once the new environment works; environments it no longer points to are removed.
    """
    if path.exists() and not path.is_symlink():
        raise VirtualenvError(f"{path} is no link; move it away or choose another place (path)")
    version = interpreter_version(spec.python)
    if check_mode and not all(map(os.path.exists, spec.wheels)):
        # They come with what is only predicted yet.
        return Outcome(changed=True, directory=path, version=version, fingerprint="")
    expected = fingerprint(spec, version)
    directory = path.with_name(f"{path.name}-{expected[:8]}")
    stale = tuple(sorted(other for other in _siblings(path) if other != directory))
    changed = not (is_complete(directory, expected) and _points_to(path, directory)) or bool(stale)
    if changed and not check_mode:
        build(directory, spec)
        _point(path, directory)
        for other in stale:
            shutil.rmtree(other)
    return Outcome(changed=changed, directory=directory, version=version, fingerprint=expected, removed=stale)


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise VirtualenvError(f"{file} cannot be read: {error.strerror} (wheels)") from error


def _siblings(path: Path) -> list[Path]:
    """The environments made for this link, finished or not."""
    hexadecimal = "[0-9a-f]" * 8
    return [other for other in path.parent.glob(f"{path.name}-{hexadecimal}") if _is_ours(other)]


def _is_ours(directory: Path) -> bool:
    return any((directory / name).exists() for name in ("pyvenv.cfg", UNFINISHED))


def _points_to(path: Path, directory: Path) -> bool:
    return path.is_symlink() and path.readlink() == Path(directory.name)


def _point(path: Path, directory: Path) -> None:
    if _points_to(path, directory):
        return
    link = path.with_name(f".{path.name}.new")
    link.unlink(missing_ok=True)
    link.symlink_to(directory.name)
    link.replace(path)


def _clear(directory: Path) -> None:
    """Remove a former or half-made environment, but nothing else that may stand there."""
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not _is_ours(directory):
        raise VirtualenvError(f"{directory} holds files and is no virtual environment; move it away (path)")
    shutil.rmtree(directory)


def _fill(directory: Path, spec: Specification) -> None:
    wheel = _pip_wheel()
    _run([spec.python, "-m", "venv", "--without-pip", str(directory)], f"{spec.python} made no environment")
    python = str(directory / "bin" / "python")
    if spec.requirements.strip():
        requirements = directory / "requirements.txt"
        requirements.write_text(spec.requirements, encoding="utf-8")
        # Only wheels: building from source would fetch its build tools without a hash and run them as root.
        options = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)]
        _run([python, "-m", "pip", "install", *options], "pip refused the requirements", pip=wheel)
    if spec.wheels:
        options = ["--no-deps", "--no-index", *spec.wheels]
        _run([python, "-m", "pip", "install", *options], "pip refused the wheels", pip=wheel)
        _run([python, "-m", "pip", "check"], "the requirements do not have what the wheels need", pip=wheel)


def _finish(directory: Path, expected: str) -> None:
    marker = directory / f"{MARKER}.new"
    marker.write_text(f"{expected}\n", encoding="ascii")
    (directory / UNFINISHED).unlink()
    marker.replace(directory / MARKER)


def _pip_wheel() -> Path:
    wheels = sorted(PIP_WHEELS.glob("pip-*.whl"))
    if not wheels:
        raise VirtualenvError(f"{PIP_WHEELS} has no pip; install Debian's package python3-venv")
    return wheels[-1]


def _run(command: list[str], complaint: str, *, pip: Path | None = None) -> None:
    environment = _environment(pip)
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=True,
            timeout=BUILD_SECONDS,
            umask=0o022,
        )
    except OSError as error:
        raise VirtualenvError(f"{complaint}: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise VirtualenvError(f"{complaint}: no end after {BUILD_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        raise VirtualenvError(f"{complaint}: {_last_words(error.stdout)}") from error


def _environment(pip: Path | None) -> dict[str, str]:
    """What commands see: the caller's environment without what would lead them to other packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if pip is not None:
        environment |= {
            "PYTHONPATH": str(pip),
            "PIP_NO_INPUT": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        # The host's own authorities, also those of a company's proxy, which pip's bundle does not know.
        if Path(CERTIFICATES).exists():
            environment.setdefault("PIP_CERT", CERTIFICATES)
    return environment


def _last_words(output: str) -> str:
    """What a tool complained of: from pip's first error on, otherwise the end of its output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR:")]
    told = lines[errors[0] :][:MESSAGE_LINES] if errors else lines[-MESSAGE_LINES:]
    return " / ".join(told) or "no output"
