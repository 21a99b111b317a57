"""What a difference between declaration and cluster leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.declaration import (
    MARKER,
    Declaration,
    Person,
    Service,
)
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.model import (
    PUBLIC,
    AccessError,
    Attributes,
    Fact,
    Grant,
    Membership,
    Object,
    Setting,
    identifier,
    literal,
)
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.plan import (
    Cluster,
    StoredRole,
    fresh_cluster,
    fresh_database,
    plan_cluster,
    plan_database,
)
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.scram import make_verifier

SERVICE = Service(database="shop")
JANE = Person(name="jane", role="readonly", password="of-jane")  # noqa: S106 - made up
DECLARED = Declaration(services=(SERVICE,), people=(JANE,))
DATABASE = Object(kind="database", path=("shop",))
TABLE = Object(kind="table", path=("public", "log"))


def converged(declaration: Declaration = DECLARED) -> Cluster:
    """A cluster that is as declared."""
    return Cluster(
        roles={
            name: StoredRole(attributes=role.attributes, verifier=role.password and make_verifier(role.password))
            for name, role in declaration.roles().items()
        },
        databases=frozenset({"postgres", "template1", *(service.database for service in declaration.services)}),
        facts=frozenset(declaration.cluster_facts()),
    )


def with_facts(*facts: Fact) -> Cluster:
    """A converged cluster with something more."""
    return replace(converged(), facts=converged().facts | set(facts))


def with_role(name: str, **attributes: Any) -> Cluster:  # noqa: ANN401 - any attribute
    """A converged cluster with another role."""
    stored = StoredRole(attributes=Attributes(**attributes))
    return replace(converged(), roles={**converged().roles, name: stored})


def test_a_converged_cluster_needs_nothing() -> None:
    plan = plan_cluster(DECLARED, converged(), remove=True)
    assert (plan.texts(), plan.undeclared, plan.before, plan.after) == ([], [], [], [])


def test_a_converged_database_needs_nothing() -> None:
    plan = plan_database(SERVICE, SERVICE.database_facts(), declared=DECLARED.roles(), remove=True)
    assert (plan.texts(), plan.undeclared) == ([], [])


def test_a_fresh_cluster_gets_everything_and_no_password_is_shown() -> None:
    plan = plan_cluster(DECLARED, fresh_cluster(), remove=False)
    assert "make role jane" in plan.texts()
    assert "make database shop" in plan.texts()
    assert "no longer: PUBLIC has CONNECT on database postgres" in plan.texts()
    assert "of-jane" not in repr(plan)
    assert not any("SCRAM" in text for text in [*plan.texts(), *plan.before, *plan.after])


def test_the_service_itself_makes_no_tables() -> None:
    rights = {(fact.grantee, getattr(fact, "privilege", "")) for fact in SERVICE.database_facts()}
    assert ("shop", "USAGE") in rights
    assert ("shop", "CREATE") not in rights
    assert ("shop_owner", "CREATE") in rights


def test_the_owner_is_at_rest_without_login() -> None:
    cluster = replace(
        converged(),
        roles={**converged().roles, "shop_owner": StoredRole(attributes=Attributes(login=True, connection_limit=3))},
    )
    (change,) = plan_cluster(DECLARED, cluster, remove=False).roles
    assert change.text == "alter role shop_owner"
    assert " NOLOGIN " in change.statement


def test_another_password_changes_the_verifier_only() -> None:
    other = Declaration(services=(SERVICE,), people=(replace(JANE, password="anew"),))  # noqa: S106
    plan = plan_cluster(other, converged(), remove=False)
    assert plan.texts() == ["alter role jane"]
    assert "role jane, password: changed" in plan.after


def test_a_leaver_is_ended_without_being_told_to() -> None:
    plan = plan_cluster(Declaration(services=(SERVICE,), people=()), converged(), remove=False)
    assert plan.ended == ["jane"]
    assert "no longer: jane is a member of shop_readonly" in plan.texts()
    assert plan.undeclared == []


def test_a_change_of_role_takes_the_old_group_away() -> None:
    promoted = Declaration(services=(SERVICE,), people=(replace(JANE, role="readwrite"),))
    plan = plan_cluster(promoted, converged(), remove=False)
    assert plan.texts() == [
        "no longer: jane is a member of shop_readonly",
        "now: jane is a member of shop_readwrite",
    ]


CASES: list[tuple[str, Cluster, list[str], list[str]]] = [
    # what is there, the changes without being told to remove, what is reported then
    ("a stranger", with_role("mallory", login=True), [], ["role mallory"]),
    (
        "a stranger in our group",
        with_facts(Membership(role="shop_owner", grantee="mallory")),
        [],
        ["mallory is a member of shop_owner"],
    ),
    (
        "ours in a strange group",
        with_facts(Membership(role="pg_read_all_data", grantee="jane")),
        [],
        ["jane is a member of pg_read_all_data"],
    ),
    (
        "ours in a wrong group",
        with_facts(Membership(role="shop_owner", grantee="shop")),
        ["no longer: shop is a member of shop_owner"],
        [],
    ),
    (
        "everybody may connect",
        with_facts(Grant(target=DATABASE, grantee=PUBLIC, privilege="CONNECT")),
        ["no longer: PUBLIC has CONNECT on database shop"],
        [],
    ),
    (
        "a stranger may connect",
        with_facts(Grant(target=DATABASE, grantee="mallory", privilege="CONNECT")),
        [],
        ["mallory has CONNECT on database shop"],
    ),
    (
        "a setting for everybody",
        replace(converged(), settings=frozenset({Setting(name="log_statement")})),
        ["no longer: PUBLIC has a setting log_statement of its own"],
        [],
    ),
    (
        "a setting of the server's own account",
        replace(converged(), settings=frozenset({Setting(name="log_statement", grantee="postgres")})),
        ["no longer: postgres has a setting log_statement of its own"],
        [],
    ),
    (
        "a stranger's setting",
        replace(converged(), settings=frozenset({Setting(name="work_mem", grantee="mallory", database="shop")})),
        [],
        ["mallory has a setting work_mem of its own in database shop"],
    ),
    ("another database", replace(converged(), databases=converged().databases | {"old"}), [], ["database old"]),
]


@pytest.mark.parametrize(("cluster", "changes", "reported"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_ours_is_exact_and_the_rest_is_reported(cluster: Cluster, changes: list[str], reported: list[str]) -> None:
    plan = plan_cluster(DECLARED, cluster, remove=False)
    assert (plan.texts(), plan.undeclared) == (changes, reported)


@pytest.mark.parametrize("cluster", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_with_remove_nothing_is_only_reported(cluster: Cluster) -> None:
    plan = plan_cluster(DECLARED, cluster, remove=True)
    assert plan.undeclared == []
    assert plan.texts()
    assert not any("DROP" in change.statement for change in (*plan.roles, *plan.databases, *plan.rights))


def test_a_role_without_login_that_owns_things_is_only_reported() -> None:
    plan = plan_cluster(DECLARED, with_role("former"), remove=True)
    assert (plan.texts(), plan.undeclared) == ([], ["role former"])


@pytest.mark.parametrize(
    ("grantee", "privilege", "reported"),
    [
        ("shop", "UPDATE", False),
        ("shop", "TRUNCATE", True),
        ("shop_readonly", "SELECT", False),
        ("shop_readonly", "INSERT", True),
        ("mallory", "SELECT", True),
        (PUBLIC, "SELECT", True),
    ],
)
def test_rights_on_tables_are_reported_beyond_what_new_ones_get(grantee: str, privilege: str, reported: bool) -> None:
    facts = SERVICE.database_facts() | {Grant(target=TABLE, grantee=grantee, privilege=privilege)}
    plan = plan_database(SERVICE, facts, declared=DECLARED.roles(), remove=False)
    assert plan.texts() == []
    assert bool(plan.undeclared) is reported


def test_a_right_that_the_service_took_from_itself_is_not_given_back() -> None:
    facts = SERVICE.database_facts() | {Grant(target=TABLE, grantee="shop", privilege="INSERT")}
    assert plan_database(SERVICE, facts, declared=DECLARED.roles(), remove=True).texts() == []


def test_a_fresh_database_is_taken_from_everybody() -> None:
    plan = plan_database(SERVICE, fresh_database(), declared=DECLARED.roles(), remove=False)
    assert "no longer: PUBLIC has USAGE on schema public" in plan.texts()
    assert "now: shop_owner owns schema public" in plan.texts()
    assert plan.undeclared == []


@pytest.mark.parametrize("name", ["shop", "shop_owner", MARKER, "postgres", "pg_monitor"])
def test_a_name_with_two_purposes_is_refused(name: str) -> None:
    with pytest.raises(AccessError, match=name):
        Declaration(services=(SERVICE,), people=(replace(JANE, name=name),))


def test_a_password_beyond_ascii_is_refused() -> None:
    with pytest.raises(AccessError, match="password of jane"):
        replace(JANE, password="straße")  # noqa: S106


def test_names_and_texts_are_quoted() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("a'b") == "'a''b'"
    with pytest.raises(AccessError):
        identifier("")


@pytest.mark.parametrize(
    ("setting", "statement"),
    [
        (Setting(name="log_statement"), 'ALTER ROLE ALL RESET "log_statement"'),
        (Setting(name="pgaudit.log", database="shop"), 'ALTER DATABASE "shop" RESET "pgaudit"."log"'),
        (
            Setting(name="work_mem", grantee="jane", database="shop"),
            'ALTER ROLE "jane" IN DATABASE "shop" RESET "work_mem"',
        ),
    ],
)
def test_a_setting_ends_where_it_was_made(setting: Setting, statement: str) -> None:
    assert setting.remove() == statement
