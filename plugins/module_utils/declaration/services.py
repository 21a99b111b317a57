# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Python services run, and what each one needs."""

from __future__ import annotations

__all__ = ["check_services", "service", "services_on"]

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .fields import Field, check_mapping, is_text, matches, with_text_keys
from .problems import DeclarationError, Problem, nearest
from .sandbox import is_sandbox, sandbox_problem

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})+"
A_DOMAIN = "a host name in lower case like platform.example.test, without blanks"
SOCKETS = "/run/art32"
MOST_WORKERS = 256
RESERVED = frozenset({"root", "postgres", "admin", "backup", "www-data", "template0", "template1"})

# A service's accounts and units are named after it: names that Debian's accounts, or this collection's units, have.
ACCOUNTS = frozenset(
    {
        *("_apt", "audit", "bin", "break-glass", "daemon", "debian", "games", "irc", "list", "lp", "mail", "man"),
        *("messagebus", "news", "nobody", "pgbackrest", "proxy", "sshd", "sync", "sys", "systemd-network"),
        *("systemd-timesync", "uucp"),
    }
)
# What the names of a service's further units end in.
KINDS_OF_UNITS = ("-candidate", "-migrate", "-restored")
UNITS = frozenset(
    {
        *("activity", "addresses", "alert", "backup-check", "break-glass", "certbot-renew", "certificate-watch"),
        *("database-check", "integrity", "restore-drill", "resume", "revocations", "watch"),
    }
)
# Extensions that lead out of the database, to other servers or into the host: PUR-1 refuses them.
REACHING_OUT = ("adminpack", "dblink", "file_fdw", "pglogical", "postgres_fdw")
AN_EXTENSION = re.compile(r"[a-z][a-z0-9_-]{0,62}")
A_NAME = "lower-case letters, digits and dashes, at most 23"

DEFAULTS: Mapping[str, Any] = {
    "health": "/healthz",
    "database": "",
    "extensions": [],
    "aliases": [],
    "admin_paths": [],
    "login_paths": [],
    "static": [],
    "locations": [],
    "conformance": [],
    "manage": "",
    "migrate": [],
    "environment": {},
    "secrets": {},
    "account_header": "X-Account",
    "on": "app",
    "talks_to": [],
    "secret_variables": [],
    "processes": [],
    "jobs": [],
    "sandbox": {},
}

_is_domain = matches(DOMAIN)
_is_path = matches(r"/[^\s]*")
_is_identifier = matches(r"[a-z][a-z0-9_-]{0,30}")
_is_variable = matches(r"[A-Za-z_][A-Za-z0-9_]*")
_is_unit = matches(r"[a-z][a-z0-9-]{0,22}")


def service(services: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - checked here
    """The declared service of this name, every optional key but `workers` present, with its socket's path.

    Raises DeclarationError when there is none or the declaration is impossible.
    """
    known = {entry["name"]: entry for entry in _completed(services)}
    if name in known:
        return known[name]
    meant = nearest(name, known)
    allowed = f"a name in services{f' (did you mean {meant}?)' if meant else ''}"
    raise DeclarationError([Problem(variable="service", value=name, allowed=allowed)])


def services_on(services: Any, group_names: Sequence[str]) -> list[dict[str, Any]]:  # noqa: ANN401 - checked here
    """The services that a host of these groups runs, each as `service` gives it.

    Raises DeclarationError when the declaration is impossible.
    """
    return [entry for entry in _completed(services) if entry["on"] in group_names]


def _completed(services: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - checked here
    problems = check_services(services)
    if problems:
        raise DeclarationError(problems)
    return [{**DEFAULTS, **entry, "socket": socket_of(entry)} for entry in map(with_text_keys, services)]


def socket_of(entry: Mapping[str, Any]) -> str:
    """The path on which systemd listens for a service."""
    return f"{SOCKETS}/{entry['name']}.sock"


def check_services(value: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Problems of services."""
    if not isinstance(value, list):
        return [Problem(variable="services", value=value, allowed="a list of services")]
    problems: list[Problem] = []
    for index, entry in enumerate(map(with_text_keys, value)):
        variable = f"services[{index}]"
        found = check_mapping(variable, entry, SERVICE_FIELDS)
        problems += found
        if not found:
            problems += _check_parts(variable, entry)
    return problems or _check_unique(value)


def _check_parts(variable: str, entry: Mapping[str, Any]) -> list[Problem]:
    source = entry["source"]
    kind = next((kind for kind in SOURCE_FIELDS if kind in source), None)
    if kind is None:
        return [Problem(variable=f"{variable}.source", value=source, allowed=A_SOURCE)]
    return [
        *check_mapping(f"{variable}.source", source, SOURCE_FIELDS[kind]),
        *_check_programs(variable, entry),
        *_check_extensions(variable, entry),
        *_check_secret_variables(variable, entry),
    ]


def _check_programs(variable: str, entry: Mapping[str, Any]) -> list[Problem]:
    """The fields of processes and jobs; a name stands for one unit."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for kind, fields in PROGRAM_FIELDS.items():
        for index, program in enumerate(entry.get(kind, [])):
            here = f"{variable}.{kind}[{index}]"
            problems += check_mapping(here, program, fields)
            name = program.get("name") if isinstance(program, Mapping) else None
            if name in seen:
                problems.append(Problem(variable=f"{here}.name", value=name, allowed="a name of its own"))
            seen.add(str(name))
    return problems


def _check_secret_variables(variable: str, entry: Mapping[str, Any]) -> list[Problem]:
    secrets = entry.get("secrets", {})
    return [
        Problem(variable=f"{variable}.secret_variables[{index}]", value=name, allowed=f"a name in {variable}.secrets")
        for index, name in enumerate(entry.get("secret_variables", []))
        if name not in secrets
    ]


def _check_extensions(variable: str, entry: Mapping[str, Any]) -> list[Problem]:
    if entry.get("extensions") and not entry.get("database"):
        allowed = f"extensions only beside {variable}.database"
        return [Problem(variable=f"{variable}.extensions", value=entry["extensions"], allowed=allowed)]
    return []


def _check_unique(services: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """No two services share a socket (which follows the name), a domain or a database."""
    problems = []
    for key in ("name", "domain", "database"):
        seen: dict[str, int] = {}
        for index, entry in enumerate(services):
            if not entry.get(key):
                continue
            first = seen.setdefault(str(entry[key]), index)
            if first != index:
                shared = f"socket {socket_of(entry)}" if key == "name" else key
                allowed = f"services[{first}] has this {shared}; every service has its own"
                problems.append(Problem(variable=f"services[{index}].{key}", value=entry[key], allowed=allowed))
    return problems + _check_names(services)


def _check_names(services: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """An alias is the name of nothing else."""
    taken = {str(entry["domain"]): index for index, entry in enumerate(services)}
    problems = []
    for index, entry in enumerate(services):
        for number, alias in enumerate(entry.get("aliases", [])):
            first = taken.setdefault(alias, index)
            if first != index or alias == entry["domain"]:
                allowed = f"services[{first}] has this name; every name leads to one service"
                problems.append(Problem(variable=f"services[{index}].aliases[{number}]", value=alias, allowed=allowed))
    return problems


def _is_name(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return _is_unit(value) and not _is_taken(value)


def _is_taken(name: str) -> bool:
    return name in RESERVED | ACCOUNTS | UNITS or name.startswith("revert-") or name.endswith(KINDS_OF_UNITS)


def _says_of_name(value: Any) -> str:  # noqa: ANN401 - what the operator wrote
    return f"{A_NAME}; this one is the system's" if _is_unit(value) and _is_taken(value) else A_NAME


def _is_paths(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list) and all(_is_path(path) for path in value)


def _is_static(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """Without the slash at both ends, a path could lead out of its directory."""
    keys = {"path": matches(r"/([\w.-]+/)+"), "directory": matches(r"/([\w.-]+/)+")}
    optional = {"expires": matches(r"[1-9][0-9]*[smhd]|max|off")}
    return isinstance(value, list) and all(
        isinstance(entry, Mapping)
        and keys.keys() <= entry.keys() <= {**keys, **optional}.keys()
        and all({**keys, **optional}[key](text) for key, text in entry.items())
        for entry in value
    )


def _is_alias(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """A name, or all names directly under one."""
    return isinstance(value, str) and _is_domain(value.removeprefix("*."))


def _is_locations(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    """Directives of one line; an add_header would drop the site's headers there, HSTS too, an access_log its log."""
    return isinstance(value, list) and all(
        isinstance(entry, Mapping)
        and entry.keys() == {"path", "directives"}
        and matches(r"/[\w./-]+")(entry["path"])
        and isinstance(entry["directives"], list)
        and bool(entry["directives"])
        and all(matches(r"(?!(add_header|access_log)\b)[a-z_]+( [^\s;{}]+)*")(line) for line in entry["directives"])
        for entry in value
    )


def _is_extensions(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list) and all(
        isinstance(name, str) and AN_EXTENSION.fullmatch(name) and name not in REACHING_OUT for name in value
    )


def _is_command(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list) and all(is_text(word) and "\n" not in word for word in value)


def _is_program(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return _is_command(value) and bool(value)


def _is_line(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return is_text(value) and "\n" not in value


def _is_destinations(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list) and all(matches(r"([\w.-]+|\[[0-9a-f:.]+\]):[0-9]{1,5}")(entry) for entry in value)


def _is_environment(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, Mapping) and all(
        _is_variable(name) and isinstance(text, str | int) and "\n" not in str(text) for name, text in value.items()
    )


def _is_secrets(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, Mapping) and all(
        _is_variable(name) and (is_text(text) or isinstance(text, int)) for name, text in value.items()
    )


def _is_application(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return (
        isinstance(value, Mapping)
        and len(value) == 1
        and next(iter(value)) in ("asgi", "wsgi")
        and matches(r"[\w.]+:[\w.]+")(next(iter(value.values())))
    )


A_SOURCE = "{wheel: PATH}, {package: NAME, version: VERSION} or {checkout: PATH}"
A_COMMAND = "a list of words"
SOURCE_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "wheel": {"wheel": Field(required=True, allowed="the path of a wheel"), "requirements": Field(allowed="a path")},
    "package": {
        "package": Field(required=True, allowed="a package's name"),
        "version": Field(required=True, allowed="a version"),
        "requirements": Field(allowed="a path"),
    },
    "checkout": {
        "checkout": Field(required=True, allowed="the path of a checkout"),
        "requirements": Field(allowed="a path"),
    },
}
A_PROGRAM: Mapping[str, Field] = {
    "name": Field(required=True, allowed=A_NAME, test=_is_unit),
    "run": Field(required=True, allowed="a program of the release and its arguments", test=_is_program),
}
PROGRAM_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "processes": A_PROGRAM,
    "jobs": {
        **A_PROGRAM,
        "at": Field(required=True, allowed="a time like hourly or *-*-* 03:00:00 (systemd.time(7))", test=_is_line),
    },
}
SERVICE_FIELDS: Mapping[str, Field] = {
    "name": Field(required=True, allowed=_says_of_name, test=_is_name),
    "domain": Field(required=True, allowed=A_DOMAIN, test=_is_domain),
    "source": Field(required=True, allowed=A_SOURCE, test=lambda value: isinstance(value, Mapping)),
    "application": Field(required=True, allowed="{asgi: module:name} or {wsgi: module:name}", test=_is_application),
    "health": Field(allowed="a path like /healthz", test=_is_path),
    "database": Field(
        allowed="lower-case letters, digits, dashes and underscores, at most 31",
        test=lambda value: _is_identifier(value) and value not in RESERVED,
    ),
    "extensions": Field(
        allowed=f"a list of extensions like pg_trgm, none that leads out of the database ({', '.join(REACHING_OUT)})",
        test=_is_extensions,
    ),
    "aliases": Field(
        allowed="a list of further host names that lead to the domain; *.NAME for all directly under one",
        test=lambda value: isinstance(value, list) and all(_is_alias(name) for name in value),
    ),
    "admin_paths": Field(allowed="a list of paths like /admin/", test=_is_paths),
    "login_paths": Field(allowed="a list of paths like /login/", test=_is_paths),
    "static": Field(
        allowed="a list of {path: /static/, directory: /srv/site/}, both ending in /, optionally with expires like 1h",
        test=_is_static,
    ),
    "locations": Field(
        allowed="a list of {path: /reports/, directives: [nginx's own, without ;,"
        " none of them add_header or access_log]}",
        test=_is_locations,
    ),
    "conformance": Field(allowed=A_COMMAND, test=_is_command),
    "manage": Field(allowed="a command's name", test=lambda value: isinstance(value, str)),
    "migrate": Field(allowed=A_COMMAND, test=_is_command),
    "environment": Field(allowed="a mapping of names to texts of one line", test=_is_environment),
    "secrets": Field(allowed="a mapping of names to texts", test=_is_secrets, secret=True),
    "account_header": Field(allowed="the name of a header", test=matches(r"[A-Za-z][A-Za-z0-9-]*")),
    "on": Field(allowed="the group of the hosts that run it", test=_is_identifier),
    "talks_to": Field(allowed="a list of HOST:PORT, an IPv6 address in brackets", test=_is_destinations),
    "secret_variables": Field(
        allowed="a list of names in secrets",
        test=lambda value: isinstance(value, list) and all(_is_variable(name) for name in value),
    ),
    "processes": Field(allowed="a list of {name, run}", test=lambda value: isinstance(value, list)),
    "jobs": Field(allowed="a list of {name, run, at}", test=lambda value: isinstance(value, list)),
    "sandbox": Field(allowed=sandbox_problem, test=is_sandbox),
    "workers": Field(
        allowed="a number from 1 to 256",
        test=lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS,
    ),
}
