# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries of a declaration: which keys they have, and what each may hold."""

from __future__ import annotations

__all__ = ["Field", "check_mapping", "is_text", "matches", "with_text_keys"]

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .problems import Problem, nearest

Test = Callable[[Any], bool]


def is_text(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """Whether a value is a text that is more than blanks."""
    return isinstance(value, str) and bool(value.strip())


def matches(pattern: str) -> Test:
    """A test for texts that match a pattern as a whole."""
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


@dataclass(frozen=True, kw_only=True)
class Field:
    """A key of an entry: the test of its value and the sentence that says what is allowed."""

    allowed: str | Callable[[Any], str]
    test: Test = is_text
    required: bool = False
    secret: bool = False

    def says(self, value: Any) -> str:  # noqa: ANN401 - what the operator wrote
        """What is allowed, told about this value."""
        return self.allowed if isinstance(self.allowed, str) else self.allowed(value)


def with_text_keys(entry: Any) -> Any:  # noqa: ANN401 - what the operator wrote
    """An entry whose key `on` is a text: YAML 1.1 reads it, unquoted, as the boolean true."""
    if not isinstance(entry, Mapping):
        return entry
    return {"on" if key is True else key: value for key, value in entry.items()}


def check_mapping(variable: str, value: Any, fields: Mapping[str, Field]) -> list[Problem]:  # noqa: ANN401
    """Problems of one entry: no mapping, keys unknown or missing, values that fail their test."""
    if not isinstance(value, Mapping):
        return [Problem(variable=variable, value=value, allowed=f"a mapping with {', '.join(fields)}")]
    problems = [_unknown(variable, key, fields) for key in value if key not in fields]
    for name, rule in fields.items():
        if name not in value:
            if rule.required:
                problems.append(Problem(variable=f"{variable}.{name}", kind="missing", allowed=rule.says(None)))
        elif not rule.test(value[name]):
            problems.append(
                Problem(
                    variable=f"{variable}.{name}",
                    value=value[name],
                    allowed=rule.says(value[name]),
                    secret=rule.secret,
                ),
            )
    return problems


def _unknown(variable: str, key: Any, fields: Mapping[str, Field]) -> Problem:  # noqa: ANN401
    meant = nearest(str(key), fields)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(fields)}"
    return Problem(variable=f"{variable}.{key}", kind="unknown", allowed=hint)
