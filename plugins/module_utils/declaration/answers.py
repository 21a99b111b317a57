# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator answers for a new environment, and the variables that follow."""

from __future__ import annotations

__all__ = ["check_answers", "hosts_of", "secrets_of", "variables_of"]

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .fields import Field, check_mapping, matches
from .network import PARTS, VANTAGE_GROUPS, check_exposure, check_networks, is_address
from .people import EMAIL, LAYERS, PERSON_FIELDS, check_people
from .problems import Problem
from .services import A_DOMAIN, DOMAIN, check_services

# The parts that hosts of these names play unless the answers say otherwise.
USUAL_GROUPS: Mapping[str, list[str]] = {
    "server": ["database", "web", "app"],
    "backup": ["backup_repository"],
    "management": ["vantage_management"],
    "visitor": ["vantage_visitor"],
}
GROUPS = (*PARTS[1:], *VANTAGE_GROUPS)
REGIONS = ("eu-central-1",)
HOST_PORT = r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}"
# A secret that a service names, not a part of one.
SECRET = re.compile(r"\bvault_\w+\b(?![.\[])")
URL = r"https?://[^\s/]+(/\S*)?"

# Answer -> variable, where one is simply the other.
PLAIN_ANSWERS: Mapping[str, str] = {
    "provider_name": "provider_name",
    "contact": "provider_contact",
    "privacy_url": "provider_privacy_url",
    "region": "art32_region",
    "cloud": "cloud_provider",
    "bucket": "cloud_bucket",
    "management": "network_management",
    "exposure": "network_exposure",
    "first_user": "access_first_user",
    "first_key": "access_first_key",
    "services": "services",
    "certbot_directory_url": "certbot_directory_url",
    "certbot_ca_bundle": "certbot_ca_bundle",
    "mail_relay": "base_mail_relay",
    "mail_ca": "base_mail_ca",
    "alert_email": "base_alert_email",
    "alert_webhook": "base_alert_webhook",
}
PERSON = "{{{{ lookup('ansible.builtin.env', 'ART32_PERSON') | default('{name}', true) }}}}"

_text_or_empty = lambda value: isinstance(value, str)  # noqa: E731


def check_answers(environment: Any, answers: Any) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    """Every problem of the answers, by the names that they have there."""
    name = Field(allowed="lower-case letters, digits and dashes, not example", test=_is_environment)
    problems = [] if name.test(environment) else [Problem(variable="env", value=environment, allowed=name.says(None))]
    if not isinstance(answers, Mapping):
        return [*problems, *check_mapping("answers", answers, ANSWERS)]
    made = answers.get("cloud") == "aws"
    problems += check_mapping("answers", {"hosts": MADE_HOSTS} | dict(answers) if made else answers, ANSWERS)
    problems += _check_hosts(answers.get("hosts"), HOST if not made else MADE_HOST)
    problems += _check_lists(answers)
    return problems


def hosts_of(answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inventory's hosts with their variables, and its groups with their hosts."""
    hosts: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    for name, answer in (answers.get("hosts") or MADE_HOSTS).items():
        addresses = [answer[family] for family in ("address", "ipv6") if family in answer]
        variables: dict[str, Any] = {"ansible_host": addresses[0], "network_addresses": addresses} if addresses else {}
        variables |= {to: answer[key] for key, to in HOST_VARIABLES.items() if key in answer}
        hosts[name] = variables | dict(answer.get("variables", {}))
        for group in _groups_of(name, answer):
            groups.setdefault(group, {"hosts": {}})["hosts"][name] = {}
    for group in GROUPS:
        groups.setdefault(group, {"hosts": {}})
    return hosts, dict(sorted(groups.items(), key=lambda item: GROUPS.index(item[0])))


def variables_of(environment: str, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The group variables that the answers decide; all others keep the example's value."""
    operator = answers["operator"]
    everything = {layer: roles[-1] for layer, roles in LAYERS.items()} | {"ssh": "admin"}
    return {
        "art32_environment": environment,
        "access_person": PERSON.format(name=operator["name"]),
        "people": answers.get("people") or [{**operator, **everything}],
        "certbot_email": answers.get("certbot_email", answers["contact"]),
        "base_alert_email": answers["contact"],
        **{variable: answers[answer] for answer, variable in PLAIN_ANSWERS.items() if answer in answers},
    }


def secrets_of(people: list[Mapping[str, Any]], services: list[Mapping[str, Any]]) -> list[str]:
    """Paths of the secrets that an environment has, dots between the keys."""
    named = [SECRET.findall(str(text)) for service in services for text in service.get("secrets", {}).values()]
    return list(
        dict.fromkeys(
            [
                "vault_backup_cipher_pass",
                *(name for names in named for name in names),
                *(f"vault_database_passwords.{person['name']}" for person in people if "database" in person),
            ]
        )
    )


def _check_hosts(hosts: Any, fields: Mapping[str, Field]) -> list[Problem]:  # noqa: ANN401 - what the operator wrote
    if not isinstance(hosts, Mapping):
        return []
    problems: list[Problem] = []
    for name, answer in hosts.items():
        variable = f"answers.hosts.{name}"
        if not matches(r"[a-z][a-z0-9-]*")(name):
            problems.append(Problem(variable="answers.hosts", value=name, allowed="names of lower-case letters"))
        problems += check_mapping(variable, answer, fields)
        if isinstance(answer, Mapping) and not _groups_of(name, answer):
            problems.append(Problem(variable=f"{variable}.groups", kind="missing", allowed=A_GROUP_LIST))
    return problems


def _check_lists(answers: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    if "management" in answers:
        problems += check_networks("answers.management", answers["management"])
    if "exposure" in answers:
        problems += _renamed(check_exposure(answers["exposure"], dict.fromkeys(GROUPS, ())), "network_")
    for name, check in (("people", check_people), ("services", check_services)):
        if name in answers:
            problems += _renamed(check(answers[name]), "")
    if "operator" in answers:
        problems += check_mapping("answers.operator", answers["operator"], OPERATOR)
        problems += _check_operator(answers)
    return problems


def _check_operator(answers: Mapping[str, Any]) -> list[Problem]:
    """Who runs the site for the first time has to have a way in afterwards."""
    people, operator = answers.get("people"), answers["operator"]
    if not isinstance(people, list) or not isinstance(operator, Mapping) or "name" not in operator:
        return []
    admins = [person.get("name") for person in people if isinstance(person, Mapping) and person.get("ssh") == "admin"]
    if operator["name"] in admins:
        return []
    allowed = "a person of answers.people with ssh: admin"
    return [Problem(variable="answers.operator.name", value=operator["name"], allowed=allowed)]


def _renamed(problems: list[Problem], prefix: str) -> list[Problem]:
    return [replace(problem, variable=f"answers.{problem.variable.removeprefix(prefix)}") for problem in problems]


def _groups_of(name: str, answer: Mapping[str, Any]) -> list[str]:
    return list(answer.get("groups") or USUAL_GROUPS.get(name, []))


def _is_environment(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return matches(r"[a-z][a-z0-9-]{0,62}")(value) and value != "example"


def _is_group_list(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list) and bool(value) and all(group in GROUPS for group in value)


def _is_mapping(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return isinstance(value, list)


def _is_files(value: Any) -> bool:  # noqa: ANN401 - what the operator wrote
    return _is_mapping(value) and all(matches(r"[a-z0-9_]+")(name) and _is_mapping(value[name]) for name in value)


A_GROUP_LIST = f"a list of {', '.join(GROUPS)}"
HOST_VARIABLES: Mapping[str, str] = {
    "user": "ansible_user",
    "key": "ansible_ssh_private_key_file",
    "port": "ansible_port",
}
HOST: Mapping[str, Field] = {
    "address": Field(required=True, allowed="an IPv4 or IPv6 address", test=is_address),
    "ipv6": Field(allowed="an IPv6 address", test=lambda value: is_address(value) and ":" in value),
    "groups": Field(allowed=A_GROUP_LIST, test=_is_group_list),
    "user": Field(allowed="the account on a vantage host"),
    "key": Field(allowed="the path of the private key for a vantage host"),
    "port": Field(allowed="the port of its SSH server", test=lambda value: isinstance(value, int)),
    "variables": Field(allowed="a mapping of host variables", test=_is_mapping),
}
# Machines that playbooks/cloud.yml makes have no address yet.
MADE_HOST = {name: rule for name, rule in HOST.items() if name not in ("address", "ipv6")}
MADE_HOSTS: Mapping[str, Any] = {"server": {}, "backup": {}}
OPERATOR: Mapping[str, Field] = {
    "name": PERSON_FIELDS["name"],
    "email": Field(required=True, allowed="an e-mail address", test=matches(EMAIL)),
}
ANSWERS: Mapping[str, Field] = {
    "domain": Field(required=True, allowed=A_DOMAIN, test=matches(DOMAIN)),
    "contact": Field(required=True, allowed="an e-mail address", test=matches(EMAIL)),
    "provider_name": Field(required=True, allowed="the provider's name"),
    "privacy_url": Field(allowed="a URL", test=matches(URL)),
    "region": Field(required=True, allowed=" or ".join(REGIONS), test=lambda value: value in REGIONS),
    "management": Field(required=True, allowed="a list of networks", test=_is_list),
    "exposure": Field(allowed="a list like network_exposure", test=_is_list),
    "bucket": Field(
        allowed="3 to 63 lower-case letters, digits and dashes: the bucket for backups",
        test=matches(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    ),
    "cloud": Field(
        allowed="aws (playbooks/cloud.yml makes the machines) or none (they are there)",
        test=lambda value: value in ("aws", "none"),
    ),
    "hosts": Field(
        required=True,
        allowed="a mapping of at least one name to {address, ipv6}",
        test=lambda value: _is_mapping(value) and bool(value),
    ),
    "first_user": Field(allowed="the account that a new machine has", test=matches(r"[a-z_][a-z0-9_-]*")),
    "first_key": Field(required=True, allowed="the path of the private key that a new machine accepts"),
    "operator": Field(required=True, allowed="{name: NAME, email: ADDRESS}", test=_is_mapping),
    "people": Field(allowed="a list like people", test=_is_list),
    "services": Field(allowed="a list like services", test=_is_list),
    "certbot_directory_url": Field(allowed="a URL", test=matches(URL)),
    "certbot_email": Field(allowed="an e-mail address", test=matches(EMAIL)),
    "certbot_ca_bundle": Field(allowed="certificates in PEM form, or an empty text", test=_text_or_empty),
    "mail_relay": Field(allowed="HOST:PORT", test=matches(HOST_PORT)),
    "mail_ca": Field(allowed="certificates in PEM form, or an empty text", test=_text_or_empty),
    "alert_email": Field(allowed="an e-mail address", test=matches(EMAIL)),
    "alert_webhook": Field(allowed="a URL, or an empty text", test=lambda value: value == "" or matches(URL)(value)),
    "variables": Field(allowed="a mapping of file names to variables", test=_is_files),
}
