# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has access to what, and until when."""

from __future__ import annotations

__all__ = ["LAYERS", "check_people", "people_with"]

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from .fields import Field, check_mapping, matches
from .problems import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAYERS: Mapping[str, tuple[str, ...]] = {
    "ssh": ("admin", "user"),
    "database": ("readonly", "readwrite", "admin"),
    "platform": ("staff", "administrator"),
}
# Names of accounts that Debian, the cloud's image or the collection itself has.
RESERVED = frozenset(
    {
        *("root", "admin", "debian", "postgres", "www-data", "nobody", "backup", "audit", "daemon", "sshd"),
        *("pgbackrest", "break-glass"),
    },
)
EMAIL = r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"
A_NAME = "lower-case letters, digits and dashes, at most 31, beginning with a letter; no account of the system"

_name = matches(r"[a-z][a-z0-9-]{0,30}")


def people_with(people: Any, layer: str, today: date | str | None = None) -> list[dict[str, Any]]:  # noqa: ANN401
    """The persons who have a layer today, as name, email and their role on that layer, by name.

    Today is the date in UTC unless given; a person is in until the end of the day until.

    Raises DeclarationError when the layer is unknown or the declaration is impossible.
    """
    if layer not in LAYERS:
        raise DeclarationError([Problem(variable="layer of people_with", value=layer, allowed=" or ".join(LAYERS))])
    problems = check_people(people)
    if problems:
        raise DeclarationError(problems)
    day = as_date(today) or datetime.now(tz=UTC).date()
    return [
        {"name": person["name"], "email": person["email"], layer: person[layer]}
        for person in sorted(people, key=lambda person: str(person["name"]))
        if layer in person and not _is_past(person, day)
    ]


def check_people(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of people."""
    if not isinstance(value, list):
        return [Problem(variable="people", value=value, allowed="a list of persons")]
    problems = [
        problem
        for index, person in enumerate(value)
        for problem in check_mapping(f"people[{index}]", person, PERSON_FIELDS)
    ]
    return problems or [*_check_unique(value), *_check_certificates(value)]


def as_date(value: Any) -> date | None:  # noqa: ANN401 - YAML reads a plain date as one, a quoted one as text
    """A date, from a date or its ISO form; None when it is neither."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_past(person: Mapping[str, Any], day: date) -> bool:
    until = as_date(person.get("until"))
    return until is not None and until < day


def _is_name(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return _name(value) and value not in RESERVED and not value.startswith("art32-")


def _layer_field(roles: tuple[str, ...]) -> Field:
    return Field(allowed=" or ".join(roles), test=lambda value: isinstance(value, str) and value in roles)


PERSON_FIELDS: Mapping[str, Field] = {
    "name": Field(required=True, allowed=A_NAME, test=_is_name),
    "email": Field(required=True, allowed="an e-mail address", test=matches(EMAIL)),
    **{layer: _layer_field(roles) for layer, roles in LAYERS.items()},
    "database_certificate": Field(allowed="true or false", test=lambda value: isinstance(value, bool)),
    "until": Field(allowed="a date like 2026-12-31", test=lambda value: as_date(value) is not None),
}


def _check_certificates(people: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """A certificate for the database is asked of those alone who have a role on it."""
    return [
        Problem(variable=f"people[{index}].database_certificate", value=True, allowed="true only beside database")
        for index, person in enumerate(people)
        if person.get("database_certificate") and "database" not in person
    ]


def _check_unique(people: Sequence[Mapping[str, Any]]) -> list[Problem]:
    problems = []
    for key in ("name", "email"):
        seen: dict[str, int] = {}
        for index, person in enumerate(people):
            first = seen.setdefault(str(person[key]).lower(), index)
            if first != index:
                allowed = f"people[{first}] has it already"
                problems.append(Problem(variable=f"people[{index}].{key}", value=person[key], allowed=allowed))
    return problems
