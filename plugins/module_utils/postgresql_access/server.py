# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a cluster's access rights and carries out a plan, over psycopg and the server's socket."""

from __future__ import annotations

__all__ = ["HAS_PSYCOPG", "Outcome", "Target", "reconcile"]

import os
import pwd
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import psycopg
except ImportError:
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

from .extensions import Extension, plan_extensions
from .model import AccessError, Attributes, DefaultGrant, Fact, Grant, Membership, Object, Owner, Setting, identifier
from .plan import Change, Cluster, Plan, StoredRole, fresh_cluster, fresh_database, plan_cluster, plan_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .declaration import Declaration, Service

    Rows = list[tuple[Any, ...]]

# Nothing of a database that somebody else may write to is looked up by an unqualified name, and no verifier gets
# into the server's log.
OPTIONS = (
    "-c search_path=pg_catalog -c timezone=UTC -c datestyle=ISO -c standard_conforming_strings=on"
    " -c lock_timeout=10s -c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1"
)
BOOTSTRAP = 10  # oid of the superuser that initdb makes

ROLES = """
select rolname, rolcanlogin, rolconnlimit, coalesce(rolvaliduntil::text, 'infinity'), rolsuper, rolcreatedb,
       rolcreaterole, rolreplication, rolbypassrls, rolinherit, rolpassword
  from pg_authid where oid <> %s and rolname !~ '^pg_'
"""
MEMBERSHIPS = """
select g.rolname, m.rolname, bool_or(a.admin_option)
  from pg_auth_members a join pg_roles g on g.oid = a.roleid join pg_roles m on m.oid = a.member
 where m.rolname !~ '^pg_' group by 1, 2
"""
DATABASES = """
select datname, pg_get_userbyid(datdba) from pg_database where datallowconn
"""
DATABASE_GRANTS = """
select datname, case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end, privilege_type, is_grantable
  from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) where datallowconn
"""
# What a role or a database has otherwise than the server; nobody declares any.
SETTINGS = """
select split_part(setting, '=', 1), case setrole when 0 then 'PUBLIC' else pg_get_userbyid(setrole) end,
       coalesce(datname, '')
  from pg_db_role_setting left join pg_database d on d.oid = setdatabase, unnest(setconfig) as setting
"""
SCHEMA = """
select nspname, pg_get_userbyid(nspowner) from pg_namespace where nspname = 'public'
"""
SCHEMA_GRANTS = """
select nspname, case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end, privilege_type, is_grantable
  from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) where nspname = 'public'
"""
DEFAULT_GRANTS = """
select pg_get_userbyid(defaclrole), defaclobjtype, nspname,
       case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end, privilege_type, is_grantable
  from pg_default_acl left join pg_namespace n on n.oid = defaclnamespace, aclexplode(defaclacl)
 where grantee <> defaclrole and not (grantee = 0 and defaclobjtype in ('f', 'T'))
"""
# What an extension brought is the extension's.
TABLE_GRANTS = """
select case relkind when 'S' then 'sequence' else 'table' end, nspname, relname,
       case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end, privilege_type, is_grantable
  from pg_class c join pg_namespace n on n.oid = relnamespace, aclexplode(relacl)
 where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and grantee <> relowner
   and nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'
   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and deptype = 'e')
"""
# What nobody declares at all: other owners, and the ways out of a database.
STRANGE_OWNERS = """
select format('%%s owns %%s.%%s', pg_get_userbyid(relowner), nspname, relname)
  from pg_class c join pg_namespace n on n.oid = relnamespace
 where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and pg_get_userbyid(relowner) <> %s
   and nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'
   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and deptype = 'e')
"""
# Each with what ends it; the rows themselves stay.
WAYS_OUT = """
select 'foreign server ' || srvname, format('DROP SERVER %I CASCADE', srvname) from pg_foreign_server
union all select 'publication ' || pubname, format('DROP PUBLICATION %I', pubname) from pg_publication
union all select 'subscription ' || subname, format('ALTER SUBSCRIPTION %1$I DISABLE;'
                 ' ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I', subname)
            from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())
"""
SLOTS = """
select 'replication slot ' || slot_name,
       format('select pg_terminate_backend(%L::int); select pg_drop_replication_slot(%L)', active_pid, slot_name)
  from pg_replication_slots where not temporary
"""
# What each extension needs, and whether it has tables of its own or anything else in the database was made with it.
# Foreign servers do not count: they are ended first.
EXTENSIONS = """
with recursive part (extension, classid, objid) as (
  select oid, 'pg_extension'::regclass::oid, oid from pg_extension where extname <> 'plpgsql'
  union
  select extension, d.classid, d.objid
    from part join pg_depend d on d.refclassid = part.classid and d.refobjid = part.objid
   where d.deptype in ('e', 'i', 'a')
)
select extname,
       array(select needed.extname::text from pg_depend d join pg_extension needed on needed.oid = d.refobjid
              where d.refclassid = 'pg_extension'::regclass and d.classid = d.refclassid and d.objid = e.oid),
       exists (select from part join pg_class c on c.oid = part.objid
                where extension = e.oid and classid = 'pg_class'::regclass and relkind in ('r', 'p'))
       or exists (select from part join pg_depend d on d.refclassid = part.classid and d.refobjid = part.objid
                   where extension = e.oid and d.deptype = 'n' and d.classid <> 'pg_foreign_server'::regclass
                     and not exists (select from part o where o.classid = d.classid and o.objid = d.objid))
  from pg_extension e where extname <> 'plpgsql'
"""
DEFAULT_KINDS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the cluster is: the socket's directory and port, and the operating system's user that it trusts."""

    directory: str
    port: int
    user: str

    def exists(self) -> bool:
        """Whether a server listens there."""
        return HAS_PSYCOPG and Path(self.directory, f".s.PGSQL.{self.port}").is_socket()


@dataclass(kw_only=True)
class Outcome:
    """What was done, or would be, in words."""

    changes: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def note(self, plan: Plan) -> None:
        """Take a plan's words."""
        self.changes += plan.texts()
        self.undeclared += plan.undeclared
        self.before += plan.before
        self.after += plan.after


def reconcile(declaration: Declaration, target: Target, *, remove: bool, check: bool) -> Outcome:
    """Make a cluster as it is declared, or only predict it; what was done is read again and compared.

    Raises AccessError when the server cannot be reached, refuses a statement, or is not as declared afterwards.
    """
    outcome = _pass(declaration, target, remove=remove, check=check)
    if outcome.changes and not check:
        again = _pass(declaration, target, remove=remove, check=True)
        if again.changes:
            raise AccessError(f"the server is not as declared after the changes: {'; '.join(again.changes)}")
        outcome.undeclared = again.undeclared
    return outcome


def _pass(declaration: Declaration, target: Target, *, remove: bool, check: bool) -> Outcome:
    outcome = Outcome()
    if check and not target.exists():
        _predict_fresh(declaration, outcome, remove=remove)
        return outcome
    with _connect(target, "postgres") as connection:
        cluster = fetch_cluster(connection)
        plan = plan_cluster(declaration, cluster, remove=remove)
        _plan_ways_out(plan, _rows(connection, SLOTS), where="", remove=remove)
        outcome.note(plan)
        if not check:
            carry_out(connection, plan)
        for service in declaration.services:
            made = not check or service.database in cluster.databases
            with _connect(target, service.database) if made else _nowhere() as inside:
                outcome.note(_plan_inside(declaration, service, inside, remove=remove, check=check))
        if not check:
            drop(connection, plan.ended)
    return outcome


def _plan_inside(
    declaration: Declaration, service: Service, inside: psycopg.Connection[Any] | None, *, remove: bool, check: bool
) -> Plan:
    """Plan the inside of a service's database, and carry it out; no connection means that the database is not made."""
    facts = fresh_database() if inside is None else fetch_database(inside)
    plan = plan_database(service, facts, declared=declaration.roles(), remove=remove)
    where = f" (database {service.database})"
    extensions = [] if inside is None else fetch_extensions(inside)
    plan_extensions(plan, service.extensions, extensions, where=where, remove=remove)
    if inside is not None:
        plan.undeclared += [f"{text}{where}" for (text,) in _rows(inside, STRANGE_OWNERS, service.owner)]
        _plan_ways_out(plan, _rows(inside, WAYS_OUT), where=where, remove=remove)
        if not check:
            carry_out(inside, plan)
    return plan


def _plan_ways_out(plan: Plan, found: Rows, *, where: str, remove: bool) -> None:
    """Report what could carry rows to another place, or end it."""
    if remove:
        plan.before += [f"{text}{where}" for text, _ in found]
        ends = [Change(text=f"no longer: {text}{where}", statement=statement) for text, statement in found]
        plan.rights[:0] = ends  # extensions cannot go before
    else:
        plan.undeclared += [f"{text}{where}" for text, _ in found]


def _predict_fresh(declaration: Declaration, outcome: Outcome, *, remove: bool) -> None:
    outcome.note(plan_cluster(declaration, fresh_cluster(), remove=remove))
    for service in declaration.services:
        outcome.note(_plan_inside(declaration, service, None, remove=remove, check=True))


def fetch_cluster(connection: psycopg.Connection[Any]) -> Cluster:
    """Read roles, memberships, and every database with its owner and privileges."""
    facts: set[Fact] = {
        Membership(role=role, grantee=member, admin=admin) for role, member, admin in _rows(connection, MEMBERSHIPS)
    }
    databases = _rows(connection, DATABASES)
    facts |= {Owner(target=Object(kind="database", path=(name,)), grantee=owner) for name, owner in databases}
    facts |= {
        Grant(target=Object(kind="database", path=(name,)), grantee=grantee, privilege=privilege, grantable=grantable)
        for name, grantee, privilege, grantable in _rows(connection, DATABASE_GRANTS)
    }
    return Cluster(
        account=connection.info.user,
        settings=frozenset(
            Setting(name=name, grantee=grantee, database=database)
            for name, grantee, database in _rows(connection, SETTINGS)
        ),
        roles={name: _role_of(rest) for name, *rest in _rows(connection, ROLES, BOOTSTRAP)},
        databases=frozenset(name for name, _ in databases),
        facts=frozenset(facts),
    )


def fetch_database(connection: psycopg.Connection[Any]) -> set[Fact]:
    """Read a database's schema, default privileges, and the privileges on its tables and sequences."""
    facts: set[Fact] = {
        Owner(target=Object(kind="schema", path=(name,)), grantee=owner) for name, owner in _rows(connection, SCHEMA)
    }
    facts |= {
        Grant(target=Object(kind="schema", path=(name,)), grantee=grantee, privilege=privilege, grantable=grantable)
        for name, grantee, privilege, grantable in _rows(connection, SCHEMA_GRANTS)
    }
    facts |= {
        DefaultGrant(
            owner=owner,
            kind=DEFAULT_KINDS[kind],  # type: ignore[arg-type]
            schema=schema,
            grantee=grantee,
            privilege=privilege,
            grantable=grantable,
        )
        for owner, kind, schema, grantee, privilege, grantable in _rows(connection, DEFAULT_GRANTS)
    }
    return facts | {
        Grant(target=Object(kind=kind, path=(schema, name)), grantee=grantee, privilege=privilege, grantable=grantable)
        for kind, schema, name, grantee, privilege, grantable in _rows(connection, TABLE_GRANTS)
    }


def fetch_extensions(connection: psycopg.Connection[Any]) -> list[Extension]:
    """Read a database's extensions, without the one that every database has."""
    return [
        Extension(name=name, needs=frozenset(needs), in_use=in_use)
        for name, needs, in_use in _rows(connection, EXTENSIONS)
    ]


def carry_out(connection: psycopg.Connection[Any], plan: Plan) -> None:
    """Do everything of a plan; roles and rights each as a whole."""
    with connection.transaction():
        _execute(connection, plan.roles)
    if plan.ended:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", [plan.ended]
        )
    _execute(connection, plan.databases)
    with connection.transaction():
        _execute(connection, plan.rights)


def drop(connection: psycopg.Connection[Any], roles: Iterable[str]) -> None:
    """Drop roles whose login has ended; one that owns something, or was granted something by others, stays."""
    for role in roles:
        try:
            connection.execute(f"DROP ROLE {identifier(role)}")
        except psycopg.errors.DependentObjectsStillExist:
            continue


def _execute(connection: psycopg.Connection[Any], changes: Iterable[Change]) -> None:
    for change in changes:
        try:
            connection.execute(change.statement)
        except psycopg.Error as error:
            raise AccessError(f"{change.text}: {error.diag.message_primary}") from None


def _role_of(columns: list[Any]) -> StoredRole:
    login, limit, until, superuser, createdb, createrole, replication, bypassrls, inherit, verifier = columns
    attributes = Attributes(
        login=login,
        connection_limit=limit,
        valid_until=until,
        superuser=superuser,
        createdb=createdb,
        createrole=createrole,
        replication=replication,
        bypassrls=bypassrls,
        inherit=inherit,
    )
    return StoredRole(attributes=attributes, verifier=verifier)


def _rows(connection: psycopg.Connection[Any], query: str, *parameters: object) -> Rows:
    return connection.execute(query, parameters or None).fetchall()


@contextmanager
def _connect(target: Target, database: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect as the cluster's own user: the server asks the kernel who is at the other end of the socket."""
    with _effective_user(target.user):
        try:
            connection = psycopg.connect(
                host=target.directory,
                port=target.port,
                dbname=database,
                user=target.user,
                options=OPTIONS,
                application_name="art32.server.postgresql_access",
                connect_timeout=10,
                client_encoding="UTF8",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise AccessError(f"database {database} cannot be reached: {error}") from None
    with connection:
        yield connection


@contextmanager
def _nowhere() -> Iterator[None]:
    yield None


@contextmanager
def _effective_user(name: str) -> Iterator[None]:
    """Be another user while the block runs; root only, everybody else stays who they are."""
    if os.geteuid() != 0:
        yield
        return
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise AccessError(f"the operating system has no user {name} to connect as") from None
    group = os.getegid()
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
