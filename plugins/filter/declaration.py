# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that derive from the declarations what each layer needs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.art32.server.plugins.module_utils import declaration
from ansible_collections.art32.server.plugins.module_utils.declaration import revocations

if TYPE_CHECKING:
    from collections.abc import Callable


def _as_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the problems of a declaration be the message of the task."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the template passes
        try:
            return function(*args, **kwargs)
        except declaration.DeclarationError as error:
            raise AnsibleFilterError(str(error)) from error

    return called


class FilterModule:
    """The filters, by the names that templates use."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Every filter of this file."""
        return {
            "egress": _as_filter(declaration.egress),
            "exposure": _as_filter(declaration.exposure),
            "people_with": _as_filter(declaration.people_with),
            "revocation_lines": _as_filter(revocations.revocation_lines),
            "revocation_list": _as_filter(revocations.revocation_list),
            "service": _as_filter(declaration.service),
            "services_on": _as_filter(declaration.services_on),
        }
