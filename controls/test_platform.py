"""DB-1, ACC-1 to ACC-3, LOG-1 and JOB-1 as each service tells them, and as the database and a visitor see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from .judges import conformance
from .marks import control, not_assessed
from .web import Client
from .words import counted

if TYPE_CHECKING:
    from datetime import datetime

    from .environment import Environment
    from .machine import Machine

SHOWN_FILES = 3
REWRITING = {"UPDATE", "DELETE", "TRUNCATE"}
Told = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def services(app: Machine, declaration: Environment) -> dict[str, dict[str, Any]]:
    """The services that are declared for the host, by name."""
    found = {service["name"]: service for service in declaration.services_on(app.name)}
    return found or not_assessed(f"no service is declared for {app.name}")


@pytest.fixture
def told(app: Machine, services: dict[str, dict[str, Any]]) -> Told:
    """What each service says of itself, in the form that was agreed on."""
    silent = [name for name, service in services.items() if not service["conformance"]]
    if silent:
        not_assessed(f"{', '.join(silent)} has no conformance command (services)")
    answers = {name: app.observed(f"conformance-{name}").json() for name in services}
    for name, answer in answers.items():
        problems = conformance.form_problems(answer)
        if problems:
            not_assessed(f"{name} answers in another form than conformance.schema.json: {'; '.join(problems[:3])}")
    return answers


@pytest.fixture
def inside(database: Machine, services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each service's database as the server itself sees it."""
    named = {name: service["database"] for name, service in services.items() if service["database"]}
    return {name: database.observed(f"database-{kept_in}").json() for name, kept_in in named.items()}


@pytest.fixture
def sites(visitor: Machine, web: Machine, services: dict[str, dict[str, Any]]) -> dict[str, Client]:
    """Each service as a visitor meets it."""
    return {name: Client(visitor, web.addresses[0], service["domain"]) for name, service in services.items()}


def part(name: str, answer: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - whatever the schema has there
    """A part of an answer that services need not give; without it there is nothing to judge."""
    return answer[key] if key in answer else not_assessed(f"{name} does not tell of {key} (conformance.schema.json)")


@control("DB-1")
@control("PUR-1")
def test_service_keeps_data_in_its_database_only(
    app: Machine, told: Told, services: dict[str, dict[str, Any]], declaration: Environment
) -> None:
    hosts = [word for host in declaration.hosts("database") for word in (host, *declaration.addresses(host))]
    for name, answer in told.items():
        found = conformance.store_problems(answer["stores"], services[name]["database"], hosts)
        assert not found, f"{name} keeps data elsewhere than in its database: {', '.join(found)}."


@control("ACC-1")
def test_platform_staff_is_declared(app: Machine, told: Told, declaration: Environment) -> None:
    for name, answer in told.items():
        found = conformance.staff_problems(answer["members"], declaration.people_of("platform"))
        assert not found, f"The staff of {name} differs from people: {'; '.join(found)}."


@control("ACC-1")
def test_access_of_staff_to_customers_ends(app: Machine, told: Told) -> None:
    for name, answer in told.items():
        found = conformance.access_problems(part(name, answer, "staff_access"))
        assert not found, f"In {name}, {'; '.join(found)}."


@control("ACC-2")
def test_service_guards_logins(app: Machine, told: Told) -> None:
    for name, answer in told.items():
        found = conformance.login_problems(part(name, answer, "logins"))
        assert not found, f"{name} guards its logins badly: {'; '.join(found)}."


@control("ACC-2")
def test_service_hashes_passwords_with_bcrypt(app: Machine, told: Told) -> None:
    least = app.variable("audit_bcrypt_cost", 12)
    for name, answer in told.items():
        found = conformance.password_problems(answer["passwords"], least)
        assert not found, f"{name} keeps passwords otherwise than by bcrypt of cost {least}: {'; '.join(found)}."


@control("ACC-2")
def test_stored_hashes_are_bcrypt_as_the_database_counts_them(
    app: Machine, database: Machine, told: Told, inside: dict[str, dict[str, Any]]
) -> None:
    least = app.variable("audit_bcrypt_cost", 12)
    for name, content in inside.items():
        found = conformance.stored_passwords(content["passwords"])
        unusable = found.pop("unusable", 0)
        weak = {kind: n for kind, n in found.items() if not kind.startswith("bcrypt:") or int(kind[7:]) < least}
        assert not weak, f"The database of {name} has other hashes: {weak}."
        own = told[name]["passwords"]
        assert (sum(found.values()), unusable) == (own["total"], own["unusable"]), (
            f"{name} tells of {own['total']} hashes; its database has {sum(found.values())}."
        )


@control("ACC-3")
def test_every_url_has_a_policy_and_admin_urls_a_login(
    app: Machine, told: Told, services: dict[str, dict[str, Any]]
) -> None:
    for name, answer in told.items():
        found = conformance.policy_problems(answer)
        found += conformance.url_problems(answer["urls"], services[name]["admin_paths"])
        assert not found, f"{name}: {'; '.join(found)}."


@control("ACC-3")
def test_releases_are_as_they_were_built(app: Machine, services: dict[str, dict[str, Any]]) -> None:
    for name in services:
        changed = sorted(app.observed(f"release-{name}").text.splitlines())
        shown = ", ".join(changed[:SHOWN_FILES])
        assert not changed, f"{counted(len(changed), 'file')} of the release of {name} changed since: {shown}."


@control("ACC-3")
def test_strangers_get_at_no_record(app: Machine, told: Told) -> None:
    for name, answer in told.items():
        found = conformance.attempt_problems(part(name, answer, "attempts"), answer["urls"])
        assert not found, f"In {name}, {'; '.join(found)}."


@control("ACC-3")
def test_anonymous_request_to_each_protected_url_is_refused(app: Machine, told: Told, sites: dict[str, Client]) -> None:
    for name, answer in told.items():
        site = sites[name]
        front = site.get(answer["help"]["path"])
        assert front.status == 200, f"{site} answers {front.status} where no login is needed."
        for path in conformance.protected(answer["urls"]):
            reply = site.get(path)
            is_refused = reply.status in (401, 403) or (reply.status == 302 and "login" in reply.location)
            assert is_refused, f"{site}{path} answers {reply.status} {reply.location} without a login."


@control("LOG-1")
def test_activity_can_only_be_added_to(
    app: Machine, database: Machine, told: Told, services: dict[str, dict[str, Any]], inside: dict[str, dict[str, Any]]
) -> None:
    for name, content in inside.items():
        activity = told[name]["activity"]
        assert activity["append_only"], f"{name} itself says that its activity can be rewritten."
        relation = content["relations"].get(f"public.{activity['table']}")
        assert relation, f"{name} records in {activity['table']}, which its database does not have."
        others = [(who, what) for who, what in relation["grants"] if who != relation["owner"]]
        able = [f"{who} may {what}" for who, what in others if what in REWRITING]
        assert not able, f"The activity of {name} can be rewritten: {', '.join(able)}."
        guards = [trigger for trigger, state in relation["triggers"] if state == "A"]
        assert guards, f"No trigger guards {activity['table']} against its own owner."


@control("LOG-1")
def test_activity_is_complete_and_its_chain_whole(app: Machine, told: Told) -> None:
    for name, answer in told.items():
        part(name, answer["activity"], "chain")
        found = conformance.activity_problems(answer["activity"])
        assert not found, f"The activity of {name}: {'; '.join(found)}."


@control("JOB-1")
def test_primary_contacts_are_trained(app: Machine, told: Told, now: datetime) -> None:
    for name, answer in told.items():
        found = conformance.training_problems(part(name, answer, "training"), now.date())
        assert not found, f"In {name}, {'; '.join(found)}."


@control("JOB-1")
def test_help_is_reachable_without_a_login(app: Machine, told: Told, sites: dict[str, Client]) -> None:
    for name, answer in told.items():
        reply = sites[name].get(answer["help"]["path"])
        assert reply.status == 200, f"{sites[name]}{answer['help']['path']} answers {reply.status}."
        assert reply.has_form, f"{sites[name]}{answer['help']['path']} has no form."
        assert answer["help"]["address"], f"{name} mails requests for help to nobody."


@control("JOB-1")
def test_team_can_be_reached_by_email(app: Machine, declaration: Environment) -> None:
    contact = declaration.get("provider_contact", "")
    app.lab.declared("contact", provider_contact=contact)
    assert "@" in contact, f"provider_contact is {contact or 'not declared'}; users have no address to write to."
