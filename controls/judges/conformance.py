"""What a service says of itself, against what is declared and what others see; its form is conformance.schema.json."""

from __future__ import annotations

__all__ = [
    "access_problems",
    "activity_problems",
    "attempt_problems",
    "example",
    "form_problems",
    "login_problems",
    "mail_problems",
    "password_problems",
    "path_of",
    "policy_problems",
    "protected",
    "staff_problems",
    "store_problems",
    "stored_passwords",
    "training_problems",
    "url_problems",
]

import json
import re
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA = Path(__file__).parent.parent / "conformance.schema.json"
SECOND_FACTOR = {"administrators", "staff", "everybody"}
MOST_IDLE_MINUTES, MOST_HOURS, MOST_FAILURES = 120, 24, 10
DEEDS = {"insert", "change", "removal", "view", "export", "login", "refused"}
FAILED = 500
# What stands in an address where the router expects something.
EXAMPLES = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "0", "path": "0"}
PLACE = re.compile(r"<(?:(\w+):)?\w+>")


def form_problems(told: Any) -> list[str]:  # noqa: ANN401 - what a foreign program printed
    """Where an answer differs from the schema."""
    return list(_form_problems(json.dumps(told)))


@cache
def _form_problems(text: str) -> tuple[str, ...]:
    """The same of a text: many checks ask of one answer, which has hundreds of addresses, and it is looked at once."""
    return tuple(f"{error.json_path}: {error.message}" for error in _validator().iter_errors(json.loads(text)))


def password_problems(passwords: Mapping[str, Any], least_cost: int) -> list[str]:
    """What is not bcrypt, or cheaper than it may be, now or for the next password."""
    problems = []
    if not passwords["hasher"].startswith("bcrypt") or passwords["minimum_cost"] < least_cost:
        problems.append(f"new passwords become {passwords['hasher']} of cost {passwords['minimum_cost']}")
    for kind, count in sorted(passwords["hashes"].items()):
        algorithm, _, cost = kind.partition(":")
        if not algorithm.startswith("bcrypt") or int(cost) < least_cost:
            problems.append(f"{count} stored as {kind}")
    return problems


def login_problems(logins: Mapping[str, Any]) -> list[str]:
    """What lets a stranger in sooner or later: no second factor where most can be done, no end, no limit."""
    problems = []
    if logins["second_factor"] not in SECOND_FACTOR:
        problems.append("administrators need no second factor")
    if not 0 < logins["idle_minutes"] <= MOST_IDLE_MINUTES:
        problems.append(f"an idle session ends after {logins['idle_minutes'] or 'no'} minutes")
    if not 0 < logins["hours"] <= MOST_HOURS:
        problems.append(f"a session ends after {logins['hours'] or 'no'} hours")
    if not 0 < logins["failures"] <= MOST_FAILURES:
        problems.append(f"{logins['failures'] or 'any number of'} wrong passwords may be tried at once")
    problems += [
        f"a session {one['session']} is {'admitted' if one['admitted'] else 'refused'}"
        for one in logins.get("sessions", [])
        if one["admitted"] != one["allowed"]
    ]
    problems += [f"the password {word!r} is accepted" for word in logins["accepted"]]
    if not logins["refused"]:
        problems.append("no common password was tried")
    return problems


def mail_problems(mail: Mapping[str, Any]) -> list[str]:
    """Why what the service mails may be read by others on its way, or does not leave."""
    if not mail["relay"]:
        return []
    relay = mail["relay"]
    said = {"none": f"it goes to {relay} in the clear", "unverified": f"whoever answers as {relay} is believed"}
    problems = [said[mail["tls"]]] if mail["tls"] in said else []
    return problems + [f"{relay} is handed nothing: {mail['problem']}"] * (mail["answered"] and bool(mail["problem"]))


def activity_problems(activity: Mapping[str, Any]) -> list[str]:
    """What is not recorded, or can be rewritten."""
    problems = [f"{word} leaves no row" for word in sorted(DEEDS - set(activity.get("actions", DEEDS)))]
    problems += [f"changes of {table} leave no row" for table in activity.get("unrecorded", [])]
    if not activity["append_only"]:
        problems.append("rows can be rewritten")
    chain = activity.get("chain", {})
    if chain.get("problem"):
        problems.append(f"its chain is broken: {chain['problem']}")
    return problems


def training_problems(training: Iterable[Mapping[str, str]], today: date) -> list[str]:
    """Customers without a primary contact, and contacts whose training is missing or overdue."""
    problems = []
    for line in training:
        if not line["contact"]:
            problems.append(f"{line['organisation']} has no primary contact")
        elif not line["due_on"]:
            problems.append(f"a primary contact of {line['organisation']} is not trained")
        elif date.fromisoformat(line["due_on"]) < today:
            problems.append(f"the training of a primary contact of {line['organisation']} was due {line['due_on']}")
    return problems


def access_problems(access: Iterable[Mapping[str, str]]) -> list[str]:
    """Access of the provider's staff to a customer's data that does not end."""
    return [f"{one['email']} sees {one['organisation']} without an end" for one in access if not one["until"]]


def stored_passwords(columns: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The kinds of stored hashes over every password column of a database, as sql/database.sql counts them."""
    found: Counter[str] = Counter()
    for kinds in columns.values():
        found.update(kinds)
    return dict(found)


def url_problems(urls: Iterable[Mapping[str, Any]], admin_paths: Sequence[str]) -> list[str]:
    """Administrative addresses that ask for no login, change records unchecked, or lie where none is declared."""
    problems = []
    for url in urls:
        if not url["admin"]:
            continue
        if not url["login"]:
            problems.append(f"{url['pattern']} asks for no login")
        if not url["pattern"].startswith(tuple(admin_paths)):
            problems.append(f"{url['pattern']} lies outside of admin_paths")
        if re.search(r"<(\w+:)?object_id>", url["pattern"]) and not url.get("record"):
            problems.append(f"{url['pattern']} does not check the very record")
    return problems


def policy_problems(told: Mapping[str, Any]) -> list[str]:
    """Addresses that somebody made and forgot to say who may use them."""
    return [f"{pattern} has no policy" for pattern in told.get("without_policy", [])]


def attempt_problems(attempts: Sequence[Mapping[str, Any]], urls: Iterable[Mapping[str, Any]]) -> list[str]:
    """Requests that got more than they should, and addresses of records at which nobody tried."""
    problems = []
    for one in attempts:
        what = f"{one['method']} {one['pattern']} as {one['who']}"
        if one["list"] and one["shown"]:
            problems.append(f"{what} shows another's records")
        elif one["answer"] >= FAILED or not (one["list"] or one["refused"]):
            problems.append(f"{what} answers {one['answer']}")
    tried = {(one["pattern"], one["method"]) for one in attempts}
    asked = [(url["pattern"], method) for url in urls if url.get("record") for method in url["methods"]]
    problems += [f"{method} {pattern} was not tried" for pattern, method in asked if (pattern, method) not in tried]
    return problems


def protected(urls: Sequence[Mapping[str, Any]]) -> list[str]:
    """An address for each pattern that can be asked for but only by who logged in."""
    patterns = [url["pattern"] for url in urls]
    return sorted({example(url["pattern"], patterns) for url in urls if url["login"] and "GET" in url["methods"]})


def example(pattern: str, patterns: Sequence[str]) -> str:
    """An address that a router's pattern matches.

    Where the pattern takes any word, one that other patterns have in this place: `/admin/<app>/` is `/admin/accounts/`.
    """
    found = PLACE.search(pattern)
    if found is None:
        return pattern
    before = pattern[: found.start()]
    words = sorted(other[len(before) :].split("/")[0] for other in patterns if other.startswith(before))
    plain = next((word for word in words if word and "<" not in word), "x")
    return example(before + EXAMPLES.get(found[1], plain) + pattern[found.end() :], patterns)


def path_of(urls: Iterable[Mapping[str, Any]], name: str, **parts: str) -> str:
    """The address of the URL with this name, its parts filled in; empty when there is none."""
    for url in urls:
        if url.get("name") == name:
            return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: parts[found[1]], url["pattern"])
    return ""


def store_problems(stores: Iterable[Mapping[str, str]], database: str, hosts: Iterable[str]) -> list[str]:
    """Everywhere else than in the declared database, by the local socket or on a declared host, that data is kept."""
    expected = set(hosts)
    return [
        f"{store['kind']} {store['database']} at {store['host'] or 'an unknown place'}"
        for store in stores
        if store["kind"] != "postgresql"
        or store["database"] != database
        or not (store["host"].startswith("/") or store["host"] in expected)
    ]


def staff_problems(members: Iterable[Mapping[str, Any]], people: Iterable[Mapping[str, Any]]) -> list[str]:
    """Accounts with a staff role that the declaration does not give."""
    declared = {person["email"].lower(): person["platform"] for person in people}
    problems = []
    for member in members:
        role = declared.get(member["email"].lower())
        if member["active"] and member["staff"] and role is None:
            problems.append(f"{member['email']} is staff but not declared")
        elif member["active"] and member["administrator"] and role != "administrator":
            problems.append(f"{member['email']} is an administrator but declared as {role}")
    return problems


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
