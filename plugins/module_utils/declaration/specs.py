# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables against what their role's argument spec says of them, and against the limits that a spec cannot say."""

from __future__ import annotations

__all__ = ["Spec", "check_unknown", "check_values", "is_secret_name"]

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .fields import Field, is_text, matches
from .network import is_address, parse_network
from .people import EMAIL, as_date
from .problems import Problem, nearest
from .services import A_DOMAIN, DOMAIN

Options = Mapping[str, Mapping[str, Any]]

SECRET_NAME = re.compile(r"(^|_)(pass|passw(or)?ds?|passphrase|secrets?|token|private_key)(_|$)")
SSH_KEY = r"(ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{32,}={0,2}( .*)?"
HOST_PORT = r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}"
WHOLE = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
BOOLEANS = {"true", "false", "yes", "no", "on", "off", "1", "0"}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a role or the environment says of its variables.

    A prefix belongs to the owner: every variable that begins with it has to be known.
    """

    prefix: str
    options: Options
    limits: Options = field(default_factory=dict)
    defaults: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """Every variable's name."""
        return self.defaults | frozenset(self.options)

    def without(self, names: Iterable[str]) -> Spec:
        """The same without variables that somebody else has specified."""
        taken = set(names)
        return replace(self, options={name: option for name, option in self.options.items() if name not in taken})


def check_values(values: Mapping[str, Any], spec: Spec, *, complete: bool) -> list[Problem]:
    """Problems of the variables that have a value; of the missing ones too when the values are complete."""
    problems: list[Problem] = []
    for name, option in spec.options.items():
        if name in values and values[name] is not None:
            problems += check_value(name, values[name], option, spec.limits.get(name, {}))
        elif complete and option.get("required") and name not in spec.defaults:
            problems.append(Problem(variable=name, kind="missing", allowed=says(option, spec.limits.get(name, {}))))
    return problems


def check_value(variable: str, value: Any, option: Mapping[str, Any], limits: Mapping[str, Any]) -> list[Problem]:  # noqa: ANN401
    """Problems of one value, its elements and its keys."""
    secret = bool(option.get("no_log")) or is_secret_name(variable)
    impossible = Problem(variable=variable, value=value, allowed=says(option, limits), secret=secret)
    if not has_type(value, option.get("type", "str")) or not _within(value, option, limits):
        return [impossible]
    if isinstance(value, Mapping):
        return _check_keys(variable, value, option.get("options") or {})
    if isinstance(value, list):
        element = {"type": option.get("elements", "raw"), "options": option.get("options"), "no_log": secret}
        element["choices"] = option.get("choices")
        return [
            problem
            for index, item in enumerate(value)
            for problem in check_value(f"{variable}[{index}]", item, element, limits.get("elements", {}))
        ]
    return []


def check_unknown(
    names: Iterable[str],
    specs: Iterable[Spec],
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Problem]:
    """Names that begin like a role's variables, but are none; with the nearest known one.

    Renamed: names that an older version had, each with `to`, its name now, and `since`, the version.
    """
    specs = list(specs)
    known = frozenset[str]().union(*(spec.known for spec in specs))
    problems = []
    old = renamed or {}
    for name in sorted(set(names) - known):
        if name in old:
            said = f"it is {old[name]['to']} since version {old[name]['since']}; write its value there"
            problems.append(Problem(variable=name, kind="unknown", allowed=said))
            continue
        owner = next((spec for spec in specs if name.startswith(spec.prefix)), None)
        if owner is None:
            continue
        meant = nearest(name, known)
        own = sorted(known_name for known_name in owner.known if known_name.startswith(owner.prefix))
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(own)}"
        problems.append(Problem(variable=name, kind="unknown", allowed=hint))
    return problems


def is_secret_name(variable: str) -> bool:
    """Whether a variable is one whose value is never shown."""
    return SECRET_NAME.search(variable.split("[", 1)[0].lower()) is not None


def says(option: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """What is allowed, in words."""
    if "allowed" in limits:
        return str(limits["allowed"])
    if choices := option.get("choices"):
        said = " or ".join(map(str, choices))
        return f"a list of {said}" if option.get("type") == "list" else said
    kind = option.get("type", "str")
    said = FORMATS[limits["format"]].says(None) if "format" in limits else TYPES[kind].says(None)
    if limits.get("not_empty") and "format" not in limits:
        said = f"{said}, not empty"
    if limits.get("elements") and kind == "list":
        said = f"{said}, each {says({'type': option.get('elements', 'str')}, limits['elements'])}"
    return f"{said}{_range_in_words(limits)}"


def has_type(value: Any, kind: str) -> bool:  # noqa: ANN401 - what the operator wrote
    """Whether a value is of a spec's type, or a text that stands for one, as extra variables are."""
    return TYPES[kind].test(value)


def _range_in_words(limits: Mapping[str, Any]) -> str:
    if "minimum" in limits and "maximum" in limits:
        return f" from {limits['minimum']} to {limits['maximum']}"
    if "minimum" in limits:
        return f", at least {limits['minimum']}"
    return f", at most {limits['maximum']}" if "maximum" in limits else ""


def _within(value: Any, option: Mapping[str, Any], limits: Mapping[str, Any]) -> bool:  # noqa: ANN401
    choices = option.get("choices")
    if choices and not isinstance(value, list) and value not in choices:
        return False
    if limits.get("not_empty") and not value:
        return False
    if "minimum" in limits and float(value) < limits["minimum"]:
        return False
    if "maximum" in limits and float(value) > limits["maximum"]:
        return False
    if "pattern" in limits and not matches(limits["pattern"])(str(value)):
        return False
    # An empty text is "none"; where one is needed the limit not_empty says so.
    return "format" not in limits or value == "" or FORMATS[limits["format"]].test(value)


def _check_keys(variable: str, value: Mapping[str, Any], options: Options) -> list[Problem]:
    problems: list[Problem] = []
    for key in value:
        if options and key not in options:
            meant = nearest(str(key), options)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(options)}"
            problems.append(Problem(variable=f"{variable}.{key}", kind="unknown", allowed=hint))
    for key, option in options.items():
        if key in value:
            problems += check_value(f"{variable}.{key}", value[key], option, {})
        elif option.get("required"):
            problems.append(Problem(variable=f"{variable}.{key}", kind="missing", allowed=says(option, {})))
    return problems


def _is_number(pattern: re.Pattern[str], *kinds: type) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
        if isinstance(value, bool):
            return False
        return isinstance(value, kinds) or (isinstance(value, str) and pattern.fullmatch(value) is not None)

    return test


def _is_boolean(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, bool) or str(value).lower() in BOOLEANS


def _is_scalar(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, str | int | float) and not isinstance(value, bool)


TYPES: Mapping[str, Field] = {
    "str": Field(allowed="a text", test=_is_scalar),
    "path": Field(allowed="a path", test=_is_scalar),
    "int": Field(allowed="a whole number", test=_is_number(WHOLE, int)),
    "float": Field(allowed="a number", test=_is_number(DECIMAL, int, float)),
    "bool": Field(allowed="true or false", test=_is_boolean),
    "list": Field(allowed="a list", test=lambda value: isinstance(value, list)),
    "dict": Field(allowed="a mapping", test=lambda value: isinstance(value, Mapping)),
    "raw": Field(allowed="any value", test=lambda _: True),
}
FORMATS: Mapping[str, Field] = {
    "address": Field(allowed="an IPv4 or IPv6 address", test=is_address),
    "network": Field(allowed="a network like 198.51.100.5/32", test=lambda value: parse_network(value) is not None),
    "date": Field(allowed="a date like 2026-12-31", test=lambda value: as_date(value) is not None),
    "domain": Field(allowed=A_DOMAIN, test=matches(DOMAIN)),
    "email": Field(allowed="an e-mail address", test=matches(EMAIL)),
    "host_port": Field(allowed="HOST:PORT", test=matches(HOST_PORT)),
    "name": Field(allowed="lower-case letters, digits and dashes", test=matches(r"[a-z][a-z0-9-]*")),
    "absolute_path": Field(allowed="a path that begins with /", test=matches(r"/\S*")),
    "ssh_public_key": Field(allowed="a public key line like ssh-ed25519 AAAA...", test=matches(SSH_KEY)),
    "text": Field(allowed="a text that is not blank", test=is_text),
    "url": Field(allowed="a URL like https://host/path", test=matches(r"https?://[^\s/]+(/\S*)?")),
}
