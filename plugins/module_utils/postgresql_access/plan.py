# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares what is declared with what is there, and says what has to be done."""

from __future__ import annotations

__all__ = [
    "Change",
    "Cluster",
    "Plan",
    "StoredRole",
    "fresh_cluster",
    "fresh_database",
    "plan_cluster",
    "plan_database",
]

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .declaration import ALL_OF_DATABASE, ALL_OF_SCHEMA, MARKER, Declaration, Service, WantedRole
from .model import PUBLIC, Attributes, Fact, Grant, Membership, Object, Owner, Setting, identifier, literal
from .scram import make_verifier, verifies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Databases that every cluster has; nobody but the server's own account has to reach them.
MAINTENANCE = ("postgres", "template1")
# Whom the schema public belongs to in a new database (PostgreSQL 15 and later).
SCHEMA_OWNER = "pg_database_owner"


@dataclass(frozen=True, kw_only=True)
class StoredRole:
    """A role as the cluster has it."""

    attributes: Attributes
    verifier: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a cluster has: its roles (PostgreSQL's own left out), databases, and the facts about them.

    `account` is the server's own role; `settings` are those that roles or databases have of their own.
    """

    account: str = "postgres"
    settings: frozenset[Setting] = frozenset()
    roles: Mapping[str, StoredRole] = field(default_factory=dict)
    databases: frozenset[str] = frozenset(MAINTENANCE)
    facts: frozenset[Fact] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Change:
    """One statement, and what it does in words; only the words are ever shown."""

    text: str
    statement: str


@dataclass(kw_only=True)
class Plan:
    """What has to be done, in this order; and what nobody declared."""

    roles: list[Change] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)  # their sessions end, and the roles where nothing depends on them
    databases: list[Change] = field(default_factory=list)  # cannot run inside a transaction
    rights: list[Change] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Every change in words."""
        ends = [f"end role {role}" for role in self.ended]
        return [change.text for change in self.roles] + ends + [c.text for c in (*self.databases, *self.rights)]

    def compare(self, wanted: set[Fact], current: Iterable[Fact], *, removed: Callable[[Fact], bool]) -> list[Change]:
        """Changes that make the wanted facts true and end others where `removed` says so; the rest is reported."""
        current = set(current)
        excess, missing = sorted(current - wanted, key=str), sorted(wanted - current, key=str)
        self.before += [str(fact) for fact in excess if removed(fact)]
        self.after += [str(fact) for fact in missing]
        self.undeclared += [str(fact) for fact in excess if not removed(fact)]
        ends = [
            Change(text=f"no longer: {fact}", statement=fact.remove())
            for fact in excess
            if removed(fact) and fact.remove()
        ]
        return ends + [Change(text=f"now: {fact}", statement=fact.add()) for fact in missing]


def plan_cluster(declaration: Declaration, cluster: Cluster, *, remove: bool) -> Plan:
    """What the roles, memberships and databases of a cluster need."""
    plan = Plan()
    wanted = declaration.roles()
    for name, role in wanted.items():
        _plan_role(plan, name, role, cluster.roles.get(name))
    leavers = _leavers(cluster, wanted)
    strangers = set(cluster.roles) - set(wanted) - leavers
    ended = {name for name in strangers if remove and cluster.roles[name] != StoredRole(attributes=Attributes())}
    _plan_ends(plan, cluster, sorted(leavers | ended))
    plan.undeclared += [f"role {name}" for name in sorted(strangers - ended)]
    _plan_databases(plan, declaration, cluster, remove=remove)

    memberships, rights = _split(declaration.cluster_facts())
    has_memberships, has_rights = _split(_relevant(declaration, cluster))
    ours = set(wanted)

    def is_ours(fact: Fact) -> bool:
        if isinstance(fact, Membership):
            return fact.grantee in leavers or {fact.role, fact.grantee} <= ours
        return isinstance(fact, Owner) or fact.grantee in ours | {PUBLIC}

    plan.roles += plan.compare(memberships, has_memberships, removed=lambda fact: remove or is_ours(fact))
    plan.rights += plan.compare(rights, has_rights, removed=lambda fact: remove or is_ours(fact))
    concerned = ours | {PUBLIC, cluster.account}
    plan.rights += plan.compare(set(), cluster.settings, removed=lambda fact: remove or fact.grantee in concerned)
    return plan


def plan_database(service: Service, facts: Iterable[Fact], *, declared: Iterable[str], remove: bool) -> Plan:
    """What the inside of a service's database needs.

    Privileges on tables are never given here: the service itself may have taken some from its login role. Those
    beyond what new tables get are reported, and removed only on request.
    """
    plan = Plan()
    ours = {*declared, PUBLIC}
    facts = _with_new_owner(set(facts), service.database_facts())
    tables = {fact for fact in facts if isinstance(fact, Grant) and fact.target.kind in ("table", "sequence")}
    strange = {fact for fact in tables if not service.is_expected(fact)}

    def is_ours(fact: Fact) -> bool:
        return isinstance(fact, Owner) or fact.grantee in ours

    plan.rights += plan.compare(service.database_facts(), facts - tables, removed=lambda fact: remove or is_ours(fact))
    plan.rights += plan.compare(set(), strange, removed=lambda _: remove)
    return plan


def fresh_cluster() -> Cluster:
    """What a cluster has that was just made."""
    rights = {("postgres", "CONNECT"), ("postgres", "TEMPORARY"), ("template1", "CONNECT")}
    facts: set[Fact] = {
        Grant(target=Object(kind="database", path=(name,)), grantee=PUBLIC, privilege=privilege)
        for name, privilege in rights
    }
    return Cluster(facts=frozenset(facts))


def fresh_database() -> set[Fact]:
    """What a database made from template0 has inside."""
    target = Object(kind="schema", path=("public",))
    return {
        Owner(target=target, grantee=SCHEMA_OWNER),
        Grant(target=target, grantee=PUBLIC, privilege="USAGE"),
        *(Grant(target=target, grantee=SCHEMA_OWNER, privilege=privilege) for privilege in ALL_OF_SCHEMA),
    }


def _plan_role(plan: Plan, name: str, wanted: WantedRole, stored: StoredRole | None) -> None:
    if stored is None:
        verifier = make_verifier(wanted.password) if wanted.password is not None else None
        statement = wanted.attributes.statement(name, verb="CREATE", verifier=verifier)
        plan.roles.append(Change(text=f"make role {name}", statement=statement))
        plan.after += _role_lines(name, wanted.attributes, has_password=verifier is not None)
        return
    keeps = _keeps_password(wanted.password, stored.verifier)
    if keeps and wanted.attributes == stored.attributes:
        return
    verifier = stored.verifier if keeps else make_verifier(wanted.password) if wanted.password is not None else None
    statement = wanted.attributes.statement(name, verb="ALTER", verifier=verifier)
    plan.roles.append(Change(text=f"alter role {name}", statement=statement))
    plan.before += _role_lines(name, stored.attributes, has_password=stored.verifier is not None)
    plan.after += _role_lines(name, wanted.attributes, has_password=verifier is not None, changed=not keeps)


def _keeps_password(password: str | None, verifier: str | None) -> bool:
    if password is None or verifier is None:
        return password is None and verifier is None
    return verifies(password, verifier)


def _role_lines(name: str, attributes: Attributes, *, has_password: bool, changed: bool = False) -> list[str]:
    password = [f"password: {'changed' if changed else 'set'}"] if has_password else []
    return [f"role {name}", *(f"role {name}, {line}" for line in [*attributes.lines(), *password])]


def _leavers(cluster: Cluster, wanted: Mapping[str, WantedRole]) -> set[str]:
    """People that this module made once and nobody declares any more."""
    marked = {fact.grantee for fact in cluster.facts if isinstance(fact, Membership) and fact.role == MARKER}
    return marked - set(wanted)


def _plan_ends(plan: Plan, cluster: Cluster, names: Iterable[str]) -> None:
    for name in names:
        stored = cluster.roles[name]
        statement = Attributes().statement(name, verb="ALTER", verifier=None)
        plan.roles.append(Change(text=f"take the login from role {name}", statement=statement))
        plan.before += _role_lines(name, stored.attributes, has_password=stored.verifier is not None)
        plan.ended.append(name)


def _plan_databases(plan: Plan, declaration: Declaration, cluster: Cluster, *, remove: bool) -> None:
    declared = {service.database for service in declaration.services}
    for service in declaration.services:
        if service.database not in cluster.databases:
            statement = (
                f"CREATE DATABASE {identifier(service.database)} OWNER {identifier(service.owner)}"
                f" TEMPLATE template0 ENCODING 'UTF8' LOCALE {literal(service.locale)}"
            )
            plan.databases.append(Change(text=f"make database {service.database}", statement=statement))
            plan.after.append(f"database {service.database}")
    for name in sorted(cluster.databases - declared - set(MAINTENANCE)):
        if remove:
            # Its data stays; whoever wants it gone drops it by hand.
            statement = f"ALTER DATABASE {identifier(name)} WITH ALLOW_CONNECTIONS false"
            plan.databases.append(Change(text=f"shut database {name}", statement=statement))
            plan.before.append(f"database {name} can be connected to")
        else:
            plan.undeclared.append(f"database {name}")


def _relevant(declaration: Declaration, cluster: Cluster) -> set[Fact]:
    """The cluster's facts that the declaration speaks about, as they are once missing databases are made."""
    declared = {service.database for service in declaration.services}
    facts = {
        fact
        for fact in cluster.facts
        if isinstance(fact, Membership)
        or _database_of(fact) in declared
        or (_database_of(fact) in MAINTENANCE and fact.grantee == PUBLIC)
    }
    for service in declaration.services:
        if service.database not in cluster.databases:
            facts |= _fresh_rights(service)
    return _with_new_owner(facts, declaration.cluster_facts())


def _fresh_rights(service: Service) -> set[Fact]:
    target = Object(kind="database", path=(service.database,))
    return {
        Owner(target=target, grantee=service.owner),
        *(Grant(target=target, grantee=service.owner, privilege=privilege) for privilege in ALL_OF_DATABASE),
        *(Grant(target=target, grantee=PUBLIC, privilege=privilege) for privilege in ("CONNECT", "TEMPORARY")),
    }


def _with_new_owner(facts: set[Fact], wanted: set[Fact]) -> set[Fact]:
    """The facts as they are after a change of owners: what an owner was granted goes to the new one."""
    new = {fact.target: fact.grantee for fact in wanted if isinstance(fact, Owner)}
    moves = {
        (fact.target, fact.grantee): new[fact.target]
        for fact in facts
        if isinstance(fact, Owner) and new.get(fact.target, fact.grantee) != fact.grantee
    }
    return {
        replace(fact, grantee=moves[fact.target, fact.grantee])
        if isinstance(fact, Grant) and (fact.target, fact.grantee) in moves
        else fact
        for fact in facts
    }


def _database_of(fact: Fact) -> str | None:
    if isinstance(fact, Grant | Owner) and fact.target.kind == "database":
        return fact.target.path[0]
    return None


def _split(facts: Iterable[Fact]) -> tuple[set[Fact], set[Fact]]:
    """Memberships, and everything else."""
    memberships: set[Fact] = {fact for fact in facts if isinstance(fact, Membership)}
    return memberships, set(facts) - memberships
