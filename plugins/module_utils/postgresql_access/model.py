# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts a cluster's access rights consist of, each with the statements that make and remove it."""

from __future__ import annotations

__all__ = [
    "PUBLIC",
    "AccessError",
    "Attributes",
    "DefaultGrant",
    "Fact",
    "Grant",
    "Membership",
    "Object",
    "Owner",
    "Setting",
    "identifier",
    "literal",
]

from dataclasses import dataclass, fields
from typing import Literal, Protocol

PUBLIC = "PUBLIC"
NO_LIMIT = -1
FOREVER = "infinity"

ObjectKind = Literal["database", "schema", "table", "sequence"]


class AccessError(Exception):
    """Something that the operator has to know; the message names the value and what is allowed."""


class Fact(Protocol):
    """One thing that is so in a cluster. Equal facts are equal values."""

    @property
    def grantee(self) -> str:
        """The role that has something by it."""

    def __str__(self) -> str:
        """Say it in one line."""

    def add(self) -> str:
        """Return the statement that makes it so."""

    def remove(self) -> str:
        """Return the statement that ends it; empty when adding another fact replaces it."""


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What a role is able to do, apart from what it was granted. The defaults are those of a group."""

    login: bool = False
    connection_limit: int = NO_LIMIT
    valid_until: str = FOREVER
    superuser: bool = False
    createdb: bool = False
    createrole: bool = False
    replication: bool = False
    bypassrls: bool = False
    inherit: bool = True

    def statement(self, role: str, *, verb: Literal["CREATE", "ALTER"], verifier: str | None) -> str:
        """Every attribute in one statement, the password's verifier (or none) with them."""
        switches = " ".join(
            f"{'' if value else 'NO'}{field.name.upper()}"
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), bool)
        )
        password = "NULL" if verifier is None else literal(verifier)
        return (
            f"{verb} ROLE {identifier(role)} WITH {switches} CONNECTION LIMIT {self.connection_limit}"
            f" VALID UNTIL {literal(self.valid_until)} PASSWORD {password}"
        )

    def lines(self) -> list[str]:
        """Say in one line each what differs from a group."""
        plain = Attributes()
        return [
            f"{field.name.replace('_', ' ')}: {str(value).lower()}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(plain, field.name)
        ]


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A role has the rights of another one."""

    role: str
    grantee: str
    admin: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.grantee} is a member of {self.role}{' and may pass it on' if self.admin else ''}"

    def add(self) -> str:
        """Return the statement that makes it so."""
        return f"GRANT {identifier(self.role)} TO {identifier(self.grantee)}"

    def remove(self) -> str:
        """Return the statement that ends it."""
        return f"REVOKE {identifier(self.role)} FROM {identifier(self.grantee)} CASCADE"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A role, or everybody where it is PUBLIC, has a setting of the server otherwise, in one database or in all."""

    name: str
    grantee: str = PUBLIC
    database: str = ""

    def __str__(self) -> str:
        """Say it in one line, without the value."""
        where = f" in database {self.database}" if self.database else ""
        return f"{self.grantee} has a setting {self.name} of its own{where}"

    def add(self) -> str:
        """Return nothing: none is ever declared."""
        return ""

    def remove(self) -> str:
        """Return the statement that ends it."""
        reset = f"RESET {'.'.join(map(identifier, self.name.split('.')))}"
        if self.grantee == PUBLIC and self.database:
            return f"ALTER DATABASE {identifier(self.database)} {reset}"
        who = "ALL" if self.grantee == PUBLIC else identifier(self.grantee)
        where = f" IN DATABASE {identifier(self.database)}" if self.database else ""
        return f"ALTER ROLE {who}{where} {reset}"


@dataclass(frozen=True, kw_only=True)
class Object:
    """A database, a schema, or something in a schema."""

    kind: ObjectKind
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Say it as in a sentence."""
        return f"{self.kind} {'.'.join(self.path)}"

    def reference(self) -> str:
        """Return it as statements name it."""
        return f"{self.kind.upper()} {'.'.join(map(identifier, self.path))}"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A role owns something."""

    target: Object
    grantee: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.grantee} owns {self.target}"

    def add(self) -> str:
        """Return the statement that makes it so."""
        return f"ALTER {self.target.reference()} OWNER TO {identifier(self.grantee)}"

    def remove(self) -> str:
        """Return nothing: the new owner takes the old one's place."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role, or everybody, has a privilege on something."""

    target: Object
    grantee: str
    privilege: str
    grantable: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.grantee} has {self.privilege} on {self.target}{' and may pass it on' if self.grantable else ''}"

    def add(self) -> str:
        """Return the statement that makes it so."""
        return f"GRANT {self.privilege} ON {self.target.reference()} TO {_grantee(self.grantee)}"

    def remove(self) -> str:
        """Return the statement that ends it."""
        return f"REVOKE {self.privilege} ON {self.target.reference()} FROM {_grantee(self.grantee)} CASCADE"


@dataclass(frozen=True, kw_only=True)
class DefaultGrant:
    """A role gets a privilege on everything of a kind that another one makes from now on."""

    owner: str
    kind: Literal["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS"]
    grantee: str
    privilege: str
    schema: str | None = None
    grantable: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        where = f" in schema {self.schema}" if self.schema else ""
        passed = " and may pass it on" if self.grantable else ""
        return f"{self.grantee} has {self.privilege} on new {self.kind.lower()} of {self.owner}{where}{passed}"

    def add(self) -> str:
        """Return the statement that makes it so."""
        return f"{self._alter()} GRANT {self.privilege} ON {self.kind} TO {_grantee(self.grantee)}"

    def remove(self) -> str:
        """Return the statement that ends it."""
        return f"{self._alter()} REVOKE {self.privilege} ON {self.kind} FROM {_grantee(self.grantee)} CASCADE"

    def _alter(self) -> str:
        where = f" IN SCHEMA {identifier(self.schema)}" if self.schema else ""
        return f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(self.owner)}{where}"


def identifier(name: str) -> str:
    """Quote a name. Raises AccessError for one that no name can be."""
    if not name or "\0" in name:
        raise AccessError(f"{name!r} is no name for a role or a database")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text; the session has standard_conforming_strings."""
    return "'" + text.replace("'", "''") + "'"


def _grantee(role: str) -> str:
    return PUBLIC if role == PUBLIC else identifier(role)
