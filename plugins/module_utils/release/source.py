# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a release is made of, found on the controller: a wheel, a checkout or a pinned package."""

from __future__ import annotations

__all__ = ["Source", "SourceError", "build_wheel", "find", "release_id"]

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .requirements import RequirementsError, blocks, completed, pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REQUIREMENTS = "requirements.txt"
ID_DIGITS = 12
BUILD_SECONDS = 600
MESSAGE_LINES = 12
# What building and testing leave in a checkout that git does not manage.
LEFTOVERS = frozenset({".git", "__pycache__", "build", "dist", ".venv", ".tox", ".mypy_cache", ".pytest_cache"})


class SourceError(ValueError):
    """A source that cannot become a release; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A service's code and the requirements it runs with.

    `wheel` is a file; of a `checkout` one is built when a host needs it. A package comes with the requirements.
    """

    label: str
    digest: str
    requirements: str
    wheel: Path | None = None
    checkout: Path | None = None


def find(declared: Mapping[str, Any], *, bases: Sequence[Path], server: str) -> Source:
    """The source of a service's `source` declaration; `server` is what the application server requires.

    Relative paths are looked for in `bases`, in order. Raises SourceError.
    """
    try:
        if "wheel" in declared:
            return _wheel(declared, bases, server)
        if "checkout" in declared:
            return _checkout(declared, bases, server)
        return _package(declared, bases, server)
    except RequirementsError as error:
        raise SourceError(f"requirements: {error}") from error


def release_id(source: Source) -> str:
    """The release's name: a hash over everything that decides what is installed."""
    inputs = json.dumps([source.digest, source.requirements])
    return hashlib.sha256(inputs.encode()).hexdigest()[:ID_DIGITS]


def build_wheel(checkout: Path, directory: Path) -> Path:
    """Build the checkout's wheel into an empty directory. Raises SourceError with the end of the build's output."""
    # In a copy: a build leaves files behind, which would make the checkout a different one.
    copy = directory / "checkout"
    shutil.copytree(checkout, copy, symlinks=True, ignore=lambda _, names: LEFTOVERS.intersection(names) - {".git"})
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(directory), str(copy)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{checkout}: no wheel after {BUILD_SECONDS} s") from error
    wheels = sorted(directory.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        told = " / ".join((done.stderr or done.stdout).strip().splitlines()[-MESSAGE_LINES:])
        raise SourceError(f"{checkout}: no wheel could be built: {told or 'no output'}")
    return wheels[0]


def _wheel(declared: Mapping[str, Any], bases: Sequence[Path], server: str) -> Source:
    wheel = _the_one(declared["wheel"], bases)
    if wheel.suffix != ".whl":
        raise SourceError(f"wheel: {wheel} is no wheel (.whl)")
    requirements = _text(declared.get("requirements"), bases)
    digest = _hash([(wheel.name, wheel.read_bytes())])
    return Source(label=wheel.name, digest=digest, requirements=completed(requirements, server), wheel=wheel)


def _checkout(declared: Mapping[str, Any], bases: Sequence[Path], server: str) -> Source:
    checkout = _the_one(declared["checkout"], bases)
    beside = checkout / REQUIREMENTS
    requirements = _text(declared.get("requirements") or (str(beside) if beside.is_file() else None), bases)
    files = sorted(_git_files(checkout) or _all_files(checkout))
    if not any(name in files for name in ("pyproject.toml", "setup.py")):
        raise SourceError(f"checkout: {checkout} has no pyproject.toml")
    digest = _hash((name, (checkout / name).read_bytes()) for name in files if (checkout / name).is_file())
    label = f"checkout {declared['checkout']}"
    return Source(label=label, digest=digest, requirements=completed(requirements, server), checkout=checkout)


def _package(declared: Mapping[str, Any], bases: Sequence[Path], server: str) -> Source:
    name, version = declared["package"], str(declared["version"])
    requirements = _text(declared.get("requirements"), bases)
    if not pins(requirements, name, version):
        hint = f"echo {name}=={version} | uv pip compile --universal --generate-hashes -"
        raise SourceError(f"requirements: do not pin {name}=={version} with its hashes; make them with: {hint}")
    return Source(label=f"{name} {version}", digest=f"{name}=={version}", requirements=completed(requirements, server))


def _the_one(path: str, bases: Iterable[Path]) -> Path:
    """The one existing file or directory that a path or a pattern means."""
    for base in bases:
        place = base / Path(path).expanduser()
        matches = sorted(place.parent.glob(place.name)) if "*" in place.name else [place] if place.exists() else []
        if len(matches) > 1:
            raise SourceError(f"{path}: {len(matches)} files match, {', '.join(m.name for m in matches)}; name one")
        if matches:
            return matches[0].resolve()
    raise SourceError(f"{path}: not found in {', '.join(map(str, bases))}")


def _text(path: str | None, bases: Sequence[Path]) -> str:
    text = _the_one(path, bases).read_text(encoding="utf-8") if path else ""
    blocks(text)
    return text


def _hash(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _git_files(checkout: Path) -> list[str]:
    """What git knows or would take in; empty where git does not manage the directory."""
    command = ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [name for name in done.stdout.split("\0") if name]


def _all_files(checkout: Path) -> list[str]:
    found = []
    for directory, names, files in os.walk(checkout):
        names[:] = [name for name in names if name not in LEFTOVERS and not name.endswith(".egg-info")]
        found += [os.path.relpath(os.path.join(directory, file), checkout) for file in files]  # noqa: PTH118
    return found
