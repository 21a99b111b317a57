# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look at everything that several tasks declare, in one process on the host.

Each task's module has the comparison that is used here; what it needs is loaded only when it is asked for.
"""

from __future__ import annotations

__all__ = ["SurveyError", "pack", "survey"]

import base64
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.art32.server.plugins.module_utils.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Arguments = Mapping[str, Any]


class SurveyError(Exception):
    """A task's arguments are not what its module takes."""


def pack(requests: Iterable[Mapping[str, Any]]) -> str:
    """Make one opaque text of what the tasks ask for: each the short name of its `module` and its `arguments`."""
    return base64.b64encode(zlib.compress(json.dumps(list(requests)).encode())).decode("ascii")


def survey(packed: str, *, check: bool) -> Look:
    """Look at one request after the other, until something differs; what cannot be looked at differs."""
    warnings: tuple[str, ...] = ()
    for request in json.loads(zlib.decompress(base64.b64decode(packed))):
        try:
            found = _look(request["module"], request["arguments"], check=check)
        except Exception as error:  # noqa: BLE001 - whatever keeps a look from being made, the task itself will tell
            return Look(differences=(f"{request['module']} cannot tell: {error}",))
        if found.differences:
            return found
        warnings += found.warnings
    return Look(warnings=warnings)


def _look(module: str, arguments: Arguments, *, check: bool) -> Look:
    if module == "transaction":
        from .transaction import task as transaction  # noqa: PLC0415

        return transaction.look(_valid(transaction.SPECIFICATION, arguments), check=check)
    if module == "accounts":
        from .accounts import task as accounts  # noqa: PLC0415

        return accounts.look(_valid(accounts.ARGUMENTS, arguments))
    if module == "postgresql_access":
        from .postgresql_access import task as access  # noqa: PLC0415

        return access.look(_valid(access.ARGUMENTS, arguments))
    if module == "certificate":
        from .certificate import task as certificate  # noqa: PLC0415

        return certificate.look(_valid(certificate.ARGUMENTS, arguments))
    if module == "release":
        from .release import task as release  # noqa: PLC0415

        return release.look(_valid(release.ARGUMENTS, arguments))
    return _look_at_what_is_made(module, arguments)


def _look_at_what_is_made(module: str, arguments: Arguments) -> Look:
    if module == "virtualenv":
        from . import virtualenv  # noqa: PLC0415 - only where it is asked about

        return virtualenv.look(_valid(virtualenv.ARGUMENTS, arguments))
    if module == "once":
        made = Path(arguments["creates"])
        return Look() if made.exists() else Look(differences=(f"{made} is not there",))
    raise SurveyError(f"{module}: no module that can be surveyed")


def _valid(specification: dict[str, Any], arguments: Arguments) -> Arguments:
    """The arguments as the module itself would have them."""
    result = ArgumentSpecValidator(specification).validate(dict(arguments))
    if result.error_messages:
        raise SurveyError("; ".join(result.error_messages))
    valid: Arguments = result.validated_parameters
    return valid
