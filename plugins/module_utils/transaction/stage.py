# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the declared files outside the live paths and let their own tools judge them there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import files
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import remove
from ansible_collections.art32.server.plugins.module_utils.transaction.model import STAGED, TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import run
from ansible_collections.art32.server.plugins.module_utils.transaction.redact import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request, Validation

__all__ = ["NoNamespace", "NotValidated", "expand", "validate", "validate_live", "write"]

# unshare fails with this status when it may not make a namespace; so does the mount.
_NO_NAMESPACE = 97
_SHOW_STAGED = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 97; shift 2; done; shift; exec "$@"'


class NotValidated(Exception):  # noqa: N818 - a prediction that has to wait
    """A validation could not be run here and now; the message says why."""


class NoNamespace(NotValidated):
    """This host allows no private mount namespace; only the live paths can be validated."""


def write(request: Request, base: Path) -> None:
    """Write every declared file below `base`, as it will be at its place.

    Raises TransactionError when there is no room.
    """
    for entry in request.files:
        place = base / entry.path.lstrip("/")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.link is not None:
                place.symlink_to(entry.link)
                continue
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
                handle.write(entry.content)
        except OSError as error:
            raise TransactionError(f"Cannot stage {entry.path}: {error.strerror}; nothing was changed") from error
        os.chown(place, _or_root(files.user_id(entry.owner)), _or_root(files.group_id(entry.group)))
        place.chmod(entry.mode)


def _or_root(number: int | None) -> int:
    return number or 0


def expand(command: Sequence[str], base: Path) -> list[str]:
    """Put the staged file's path in the place of `{staged:PATH}`."""
    return [STAGED.sub(lambda match: str(base / match[1].lstrip("/")), word) for word in command]


def validate(request: Request, validation: Validation, base: Path, removals: Sequence[str]) -> None:
    """Run one validation.

    Raises TransactionError with the tool's own message, NotValidated when it cannot be run here.
    """
    command = expand(validation.command, base)
    if shutil.which(command[0], path=_path()) is None:
        raise NotValidated(f"{command[0]} is not installed")
    if validation.overlay:
        command = _in_namespace(request, validation, base, removals, command)
    status, output = run(command, timeout=validation.timeout)
    if validation.overlay and (status == _NO_NAMESPACE or output.startswith("unshare: ")):
        raise NoNamespace(f"this host allows no private mount namespace ({output})")
    _judge(request, validation, base, status, output)


def validate_live(request: Request, validation: Validation, base: Path) -> None:
    """Run one validation on the files in place, behind the armed revert, where there is no namespace to do it before.

    Raises TransactionError with the tool's own message.
    """
    status, output = run(expand(validation.command, base), timeout=validation.timeout)
    _judge(request, validation, base, status, output)


def _judge(request: Request, validation: Validation, base: Path, status: int, output: str) -> None:
    if status != 0:
        message = redact(output, request).replace(str(base), "")
        raise TransactionError(f"Validation failed: {validation}\n{message or f'exit status {status}'}")


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _in_namespace(
    request: Request, validation: Validation, base: Path, removals: Sequence[str], command: Sequence[str]
) -> list[str]:
    """Show copies of directories, with the staged files in them, at their live paths to this command only."""
    pairs: list[str] = []
    for number, directory in enumerate(validation.overlay):
        copy = base / f".overlay-{number}"
        _copy_with_staged(request, directory, copy, base, removals)
        pairs += [str(copy), directory]
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", _SHOW_STAGED, "sh", *pairs, "--", *command]


def _copy_with_staged(request: Request, directory: str, copy: Path, base: Path, removals: Sequence[str]) -> None:
    remove(copy)
    if not Path(directory).is_dir():
        raise NotValidated(f"{directory} does not exist yet")
    status, output = run(["cp", "--archive", "--", directory, str(copy)])
    if status != 0:
        raise TransactionError(f"Cannot stage {directory}: {output}; nothing was changed")
    inside = f"{directory}/"
    for path in (path for path in removals if path.startswith(inside)):
        remove(copy / path.removeprefix(inside))
    for path in (entry.path for entry in request.files if entry.path.startswith(inside)):
        target = copy / path.removeprefix(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(target)
        run(["cp", "--archive", "--", str(base / path.lstrip("/")), str(target)])
