# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared, and the roles and facts that follow from it."""

from __future__ import annotations

__all__ = ["MARKER", "Declaration", "Person", "Service", "WantedRole"]

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from .model import PUBLIC, AccessError, Attributes, DefaultGrant, Fact, Grant, Membership, Object, Owner

if TYPE_CHECKING:
    from datetime import date

# Whoever is in this group was made by this module and is ended by it when no longer declared.
MARKER = "art32_people"
OWNER_CONNECTIONS = 3
PERSON_CONNECTIONS = 5
ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
NUMBERS = ("USAGE", "SELECT")
ALL_OF_DATABASE = ("CONNECT", "CREATE", "TEMPORARY")
ALL_OF_SCHEMA = ("CREATE", "USAGE")


@dataclass(frozen=True, kw_only=True)
class WantedRole:
    """A role as it has to be; the password in plain text, as it cannot be compared otherwise."""

    attributes: Attributes
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service's database: who owns it, who logs in, and the groups for people."""

    database: str
    connection_limit: int = 50
    locale: str = "C.UTF-8"
    extensions: frozenset[str] = frozenset()

    @property
    def owner(self) -> str:
        """The role that owns the database and everything in it."""
        return f"{self.database}_owner"

    @property
    def login(self) -> str:
        """The role with which the service logs in."""
        return self.database

    @property
    def readonly(self) -> str:
        """The group of people who may read."""
        return f"{self.database}_readonly"

    @property
    def readwrite(self) -> str:
        """The group of people who may do what the service itself may."""
        return f"{self.database}_readwrite"

    def roles(self) -> dict[str, WantedRole]:
        """The roles of this service by name; the owner has no login at rest."""
        return {
            self.owner: WantedRole(attributes=Attributes(connection_limit=OWNER_CONNECTIONS)),
            self.login: WantedRole(attributes=Attributes(login=True, connection_limit=self.connection_limit)),
            self.readonly: WantedRole(attributes=Attributes()),
            self.readwrite: WantedRole(attributes=Attributes()),
        }

    def cluster_facts(self) -> set[Fact]:
        """What holds outside the database.

        People with write access get the login role's rights by membership: what a service takes from its own
        role, such as changes of its activity log, it takes from them as well.
        """
        target = Object(kind="database", path=(self.database,))
        return {
            Owner(target=target, grantee=self.owner),
            Membership(role=self.login, grantee=self.readwrite),
            *(Grant(target=target, grantee=self.owner, privilege=privilege) for privilege in ALL_OF_DATABASE),
            *(Grant(target=target, grantee=role, privilege="CONNECT") for role in (self.login, self.readonly)),
        }

    def database_facts(self) -> set[Fact]:
        """What holds inside the database: nobody but the owner makes or alters tables."""
        target = Object(kind="schema", path=("public",))
        rows = [(self.login, privilege) for privilege in ROWS] + [(self.readonly, "SELECT")]
        numbers = [(self.login, privilege) for privilege in NUMBERS] + [(self.readonly, "SELECT")]
        return {
            Owner(target=target, grantee=self.owner),
            *(Grant(target=target, grantee=self.owner, privilege=privilege) for privilege in ALL_OF_SCHEMA),
            *(Grant(target=target, grantee=role, privilege="USAGE") for role in (self.login, self.readonly)),
            *(DefaultGrant(owner=self.owner, kind="TABLES", grantee=role, privilege=what) for role, what in rows),
            *(DefaultGrant(owner=self.owner, kind="SEQUENCES", grantee=role, privilege=what) for role, what in numbers),
        }

    def is_expected(self, grant: Grant) -> bool:
        """Whether a privilege on a table or sequence is no more than new ones are given."""
        expected = {
            ("table", self.login): ROWS,
            ("table", self.readonly): ("SELECT",),
            ("sequence", self.login): NUMBERS,
            ("sequence", self.readonly): ("SELECT",),
        }
        return not grant.grantable and grant.privilege in expected.get((grant.target.kind, grant.grantee), ())


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a login of their own to every service's database.

    The password has to be ASCII; AccessError is raised when it is not.
    """

    name: str
    role: Literal["readonly", "readwrite", "admin"]
    password: str = field(repr=False)
    until: date | None = None

    def __post_init__(self) -> None:
        """Refuse a password that would need RFC 7613's preparation."""
        if not self.password.isascii():
            raise AccessError(f"the password of {self.name} has characters beyond ASCII")

    def wanted(self) -> WantedRole:
        """The person's role; the server itself refuses the password after the last day."""
        attributes = Attributes(login=True, connection_limit=PERSON_CONNECTIONS)
        if self.until is not None:
            attributes = replace(attributes, valid_until=f"{self.until + timedelta(days=1)} 00:00:00+00")
        return WantedRole(attributes=attributes, password=self.password)

    def groups(self, service: Service) -> list[str]:
        """The groups that the person's role stands for in a service's database."""
        match self.role:
            case "readonly":
                return [service.readonly]
            case "readwrite":
                return [service.readwrite]
            case "admin":
                return [service.readwrite, service.owner]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Everything that is declared for a cluster."""

    services: tuple[Service, ...]
    people: tuple[Person, ...]

    def __post_init__(self) -> None:
        """Refuse names that two things would share."""
        service_roles = [name for service in self.services for name in service.roles()]
        names = Counter([MARKER, *service_roles, *(person.name for person in self.people)])
        shared = sorted(name for name, count in names.items() if count > 1)
        if shared:
            raise AccessError(f"role {shared[0]} is declared twice; every role has one purpose")
        reserved = sorted(name for name in names if name.startswith("pg_") or name in ("postgres", PUBLIC.lower()))
        if reserved:
            raise AccessError(f"role {reserved[0]} is PostgreSQL's own; a service or person needs another name")

    def roles(self) -> dict[str, WantedRole]:
        """Every declared role by name."""
        wanted = {MARKER: WantedRole(attributes=Attributes())}
        for service in self.services:
            wanted |= service.roles()
        return wanted | {person.name: person.wanted() for person in self.people}

    def cluster_facts(self) -> set[Fact]:
        """What holds in the whole cluster."""
        facts: set[Fact] = {Membership(role=MARKER, grantee=person.name) for person in self.people}
        for service in self.services:
            facts |= service.cluster_facts()
            facts |= {
                Membership(role=group, grantee=person.name)
                for person in self.people
                for group in person.groups(service)
            }
        return facts
