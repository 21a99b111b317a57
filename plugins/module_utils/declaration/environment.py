# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One host's declarations together: each by itself, and against one another."""

from __future__ import annotations

__all__ = ["Host", "check_environment", "check_host", "hide", "in_lines"]

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .egress import check_egress
from .network import addresses_of, check_exposure, check_management
from .people import check_people, people_with
from .problems import DeclarationError, Problem, nearest
from .revocations import check_revocations
from .services import check_services
from .specs import Spec, check_unknown, check_values

Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host with the values of the variables that somebody specifies, and the names of all that it has."""

    name: str
    values: Mapping[str, Any]
    names: Iterable[str]


def check_host(
    host: Host,
    specs: Sequence[Spec],
    groups: Groups,
    *,
    complete: bool,
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Problem]:
    """Every problem of one host's variables.

    Complete means that the values are all there are: what is missing is then a problem too.
    """
    problems = check_unknown(host.names, specs, renamed)
    seen: set[str] = set()
    for spec in specs:
        problems += check_values(host.values, spec.without(seen), complete=complete)
        seen |= spec.options.keys()
    return [*problems, *check_environment(host.values, groups), *_check_addresses(host)]


def check_environment(values: Mapping[str, Any], groups: Groups) -> list[Problem]:
    """Problems of the declarations that are there, and of what they say of one another."""
    checks: Mapping[str, Callable[[Any], list[Problem]]] = {
        "network_management": check_management,
        "network_exposure": lambda value: check_exposure(value, groups),
        "people": check_people,
        "services": check_services,
        "firewall_egress": check_egress,
        "sshd_revocations": check_revocations,
    }
    problems = [problem for name, check in checks.items() if name in values for problem in check(values[name])]
    return [
        *problems,
        *_check_region(values),
        *_check_person(values),
        *_check_authority(values),
        *_check_client_authority(values),
        *_check_repository(groups),
        *_check_bucket(values, groups),
    ]


def hide(problems: Iterable[Problem], secrets: Iterable[str]) -> list[Problem]:
    """The problems, with every value hidden that holds a secret."""
    known = [secret for secret in secrets if secret]

    def holds(problem: Problem) -> bool:
        shown = json.dumps(problem.value, default=str, ensure_ascii=False)
        return any(secret in shown for secret in known)

    return [replace(problem, secret=problem.secret or holds(problem)) for problem in problems]


def in_lines(found: Mapping[str, Sequence[Problem]]) -> list[str]:
    """A line for each problem, in the order found; the hosts are named when not all have it."""
    hosts: dict[str, list[str]] = {}
    for host, problems in found.items():
        for line in dict.fromkeys(map(str, problems)):
            hosts.setdefault(line, []).append(host)
    return [line if len(having) == len(found) else f"{line} [{', '.join(having)}]" for line, having in hosts.items()]


def _check_addresses(host: Host) -> list[Problem]:
    if not isinstance(host.values.get("network_addresses"), list):
        return []
    try:
        addresses_of(host.name, host.values)
    except DeclarationError as error:
        return error.problems
    return []


def _check_region(values: Mapping[str, Any], variable: str = "art32_region") -> list[Problem]:
    region, allowed = values.get(variable), values.get("art32_regions_allowed")
    if region is None or not isinstance(allowed, list) or region in allowed:
        return []
    said = f"{' or '.join(map(str, allowed))} (art32_regions_allowed)"
    return [Problem(variable=variable, value=region, allowed=said)]


def _check_person(values: Mapping[str, Any]) -> list[Problem]:
    """Who runs the playbook needs a way in afterwards too."""
    people, person = values.get("people"), values.get("access_person")
    if person is None or check_people(people):
        return []
    admins = [entry["name"] for entry in people_with(people, "ssh") if entry["ssh"] == "admin"]
    if person in admins:
        return []
    meant = nearest(str(person), admins)
    said = f"a person of people with ssh: admin{f' (did you mean {meant}?)' if meant else ''}"
    return [Problem(variable="access_person", value=person, allowed=said)]


def _check_authority(values: Mapping[str, Any]) -> list[Problem]:
    """The authority that signs for the controller has to be one that the hosts go on to trust."""
    own, trusted = values.get("access_ca_public"), values.get("sshd_trusted_user_ca_keys")
    if not own or not isinstance(trusted, list) or _key_of(own) in map(_key_of, trusted):
        return []
    said = "one of sshd_trusted_user_ca_keys; with this one nobody could log in any more"
    return [Problem(variable="access_ca_public", value=own, allowed=said)]


def _check_client_authority(values: Mapping[str, Any]) -> list[Problem]:
    """Without an authority, nobody can have the certificate that is asked of some."""
    people, authority = values.get("people"), values.get("postgresql_client_ca")
    if authority is None or authority or check_people(people):
        return []
    asked = [person["name"] for person in people or () if person.get("database_certificate")]
    if not asked:
        return []
    said = f"the certificate of the authority that signs those of {' and '.join(asked)}, in PEM"
    return [Problem(variable="postgresql_client_ca", kind="missing", allowed=said)]


def _key_of(line: Any) -> bytes:  # noqa: ANN401 - what the operator wrote
    """What a public key line says without its comment; of no such line, the line."""
    words = str(line).split()
    try:
        return base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return str(line).encode()


def _check_repository(groups: Groups) -> list[Problem]:
    both = sorted(set(groups.get("backup_repository", ())) & set(groups.get("database", ())))
    said = "another host than the database's own"
    return [Problem(variable="group backup_repository", value=host, allowed=said) for host in both]


def _check_bucket(values: Mapping[str, Any], groups: Groups) -> list[Problem]:
    """A bucket has to be whole, in a place that is allowed, and the only repository."""
    if values.get("backup_repository") != "s3":
        return []
    needed = {name: values.get(name) for name in ("backup_s3_key", "backup_s3_key_secret")}
    needed["backup_s3_bucket"] = values.get("backup_s3_bucket", values.get("cloud_bucket"))
    said = "a text, not empty, while backup_repository is s3"
    problems = [Problem(variable=name, kind="missing", allowed=said) for name, value in needed.items() if not value]
    hosts = list(groups.get("backup_repository", ()))
    if hosts:
        said = "no host while backup_repository is s3"
        problems.append(Problem(variable="group backup_repository", value=hosts, allowed=said))
    # Its default is the region of everything: one problem is told once.
    if values.get("backup_s3_region") != values.get("art32_region"):
        problems += _check_region(values, "backup_s3_region")
    return problems
