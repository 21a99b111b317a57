"""What a PostgreSQL cluster grants, against the declaration; from what sql/cluster.sql and database.sql print."""

from __future__ import annotations

__all__ = [
    "Expected",
    "database_problems",
    "expected",
    "extension_problems",
    "hba_problems",
    "hidden_problems",
    "loose_logins",
    "membership_problems",
    "outgoing",
    "relation_problems",
    "role_problems",
    "setting_problems",
    "source_problems",
    "stray_problems",
]

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SUPERUSER = "postgres"
PEOPLE = "art32_people"
ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
NUMBERS = frozenset({"SELECT", "USAGE"})
TEMPLATES = frozenset({"postgres", "template0", "template1"})
KINDS = ("owner", "readonly", "readwrite")
GROUPS = {"readonly": ("readonly",), "readwrite": ("readwrite",), "admin": ("readwrite", "owner")}
LOCAL_METHODS = frozenset({"peer", "reject"})
NETWORK_METHODS = frozenset({"scram-sha-256", "reject"})
BOUND = "clientcert=verify-full"
# What Debian's pg_createcluster writes into a new cluster's own file; what else is set there somebody has set.
MADE_BY_DEBIAN = frozenset(
    {
        *("cluster_name", "data_directory", "datestyle", "default_text_search_config", "dynamic_shared_memory_type"),
        *("external_pid_file", "hba_file", "ident_file", "lc_messages", "lc_monetary", "lc_numeric", "lc_time"),
        *("log_line_prefix", "log_timezone", "max_connections", "max_wal_size", "min_wal_size", "port"),
        *("shared_buffers", "ssl", "ssl_cert_file", "ssl_key_file", "timezone", "unix_socket_directories"),
    }
)
# Extensions that reach beyond the database.
REACHING_OUT = frozenset({"dblink", "postgres_fdw", "file_fdw", "adminpack", "pglogical"})


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The roles and memberships that follow from the declared services and people."""

    databases: frozenset[str]
    logins: frozenset[str]
    groups: frozenset[str]
    memberships: frozenset[tuple[str, str]]

    @property
    def roles(self) -> frozenset[str]:
        """Every role that may be there."""
        return self.logins | self.groups | {SUPERUSER}


def expected(databases: Iterable[str], people: Mapping[str, str]) -> Expected:
    """What has to be there for databases, each with its owner, login and two groups, and for people by their role."""
    names = frozenset(databases)
    memberships = {(name, f"{name}_readwrite") for name in names}
    memberships |= {
        (f"{name}_{group}", person) for person, role in people.items() for group in GROUPS[role] for name in names
    }
    memberships |= {(PEOPLE, person) for person in people}
    return Expected(
        databases=names,
        logins=names | frozenset(people),
        groups=frozenset({PEOPLE} | {f"{name}_{kind}" for name in names for kind in KINDS}),
        memberships=frozenset(memberships),
    )


def loose_logins(cluster: Mapping[str, Any], wanted: Expected) -> list[str]:
    """Roles that can log in though nobody declared them, and declared ones that cannot."""
    able = {name for name, role in cluster["roles"].items() if role["login"]} - {SUPERUSER}
    return [f"{name} can log in" for name in sorted(able - wanted.logins)] + [
        f"{name} cannot log in" for name in sorted(wanted.logins - able)
    ]


def role_problems(cluster: Mapping[str, Any], wanted: Expected) -> list[str]:
    """Roles that are not declared, powers that nobody may have, passwords in a weak form."""
    problems = [f"role {name} is not declared" for name in sorted(set(cluster["roles"]) - wanted.roles)]
    for name, role in sorted(cluster["roles"].items()):
        if role["powers"] and name != SUPERUSER:
            problems.append(f"{name} is {' and '.join(role['powers'])}")
        if role["password"] not in ("none", "SCRAM-SHA-256"):
            problems.append(f"the password of {name} is no scram hash")
    return problems


def membership_problems(cluster: Mapping[str, Any], wanted: Expected) -> list[str]:
    """Memberships beyond the declared ones; those missing are no danger but named too."""
    found = {(group, member) for group, member in cluster["memberships"]}
    problems = [f"{member} is in {group}" for group, member in sorted(found - wanted.memberships)]
    return problems + [f"{member} is not in {group}" for group, member in sorted(wanted.memberships - found)]


def database_problems(cluster: Mapping[str, Any], wanted: Expected) -> list[str]:
    """Databases that are not the declared ones; who connects though not concerned, or cannot though concerned."""
    found = set(cluster["databases"])
    problems = [f"database {name} is not declared" for name in sorted(found - wanted.databases - TEMPLATES)]
    problems += [f"database {name} is missing" for name in sorted(wanted.databases - found)]
    for name in sorted(wanted.databases & found):
        database = cluster["databases"][name]
        own = {name, f"{name}_owner", f"{name}_readonly", f"{name}_readwrite"}
        if database["owner"] != f"{name}_owner":
            problems.append(f"database {name} belongs to {database['owner']}")
        problems += [f"{who} has {what} on database {name}" for who, what in database["grants"] if who not in own]
        able = {who for who, what in database["grants"] if what == "CONNECT"}
        problems += [
            f"{who} cannot connect to database {name}" for who in (name, f"{name}_readonly") if who not in able
        ]
    return problems


def setting_problems(cluster: Mapping[str, Any]) -> list[str]:
    """Settings of the server that somebody, or everybody in some database, has otherwise."""
    return [
        f"{who} has {name} otherwise{f' in database {database}' if database else ''}"
        for who, database, name in sorted(cluster["own_settings"])
    ]


def source_problems(cluster: Mapping[str, Any]) -> list[str]:
    """Settings that come from elsewhere than the role's file, or from files that are not loaded as they are."""
    found = [
        f"{name} is set in {path}"
        for name, path in sorted(cluster["set_elsewhere"].items())
        if path != cluster["settings"]["config_file"] or name.lower() not in MADE_BY_DEBIAN
    ]
    return found + ([] if cluster["settings_loaded"] else ["a file was changed after the server loaded it"])


def relation_problems(inside: Mapping[str, Any], name: str) -> list[str]:
    """Who may do more in a database than its owner, its login and its groups are given."""
    owner, login, readonly = f"{name}_owner", name, f"{name}_readonly"
    problems = []
    for schema, content in sorted(inside["schemas"].items()):
        owners = {owner, "pg_database_owner", content["owner"]}
        usual = {(login, "USAGE"), (readonly, "USAGE")}
        problems += [
            f"{who} has {what} on schema {schema}"
            for who, what in content["grants"]
            if who not in owners and (who, what) not in usual
        ]
    for relation, content in sorted(inside["relations"].items()):
        most = NUMBERS if content["kind"] == "S" else ROWS
        allowed = {login: most, readonly: frozenset({"SELECT"})}
        if content.get("extension") and content["owner"] == SUPERUSER:
            # Whether the extension may be there is asked elsewhere; its views show everybody what is theirs.
            allowed["PUBLIC"] = frozenset({"SELECT"}) if content["kind"] == "v" else frozenset()
        elif content["owner"] != owner:
            problems.append(f"{relation} belongs to {content['owner']}")
        problems += [
            f"{who} has {what} on {relation}"
            for who, what in content["grants"]
            if who != content["owner"] and what not in allowed.get(who, frozenset())
        ]
    return problems


def hidden_problems(inside: Mapping[str, Any], name: str) -> list[str]:
    """Rights to single columns, rules that rewrite statements, and code of others than the database's owner."""
    most = {name: ROWS, f"{name}_readonly": frozenset({"SELECT"}), f"{name}_owner": ROWS}
    problems = [
        f"{who} has {what} on {relation}.{column}"
        for relation, column, who, what in inside["columns"]
        if what not in most.get(who, frozenset())
    ]
    problems += [f"the rule {rule} rewrites what is done to {relation}" for relation, rule in inside["rules"]]
    return problems + [
        f"the function {function} is {owner}'s{', with whose rights it runs' if runs_as_owner else ''}"
        for function, owner, runs_as_owner in inside["functions"]
        if owner != f"{name}_owner"
    ]


def stray_problems(cluster: Mapping[str, Any], clusters: str) -> list[str]:
    """Tables in the database that is no service's, and clusters besides the one that was asked, by their settings."""
    problems = [f"{relation} stands in the database postgres" for relation in cluster["strays"]]
    others = sorted(set(clusters.splitlines()) - {cluster["settings"]["config_file"]})
    return problems + [f"there is another cluster ({path})" for path in others]


def extension_problems(inside: Mapping[str, Any], declared: Iterable[str]) -> list[str]:
    """Extensions that are neither declared nor needed by a declared one, and declared ones that are missing."""
    needs: Mapping[str, Sequence[str]] = inside["extensions"]
    wanted = set(declared)
    expected, waiting = set(wanted), [name for name in wanted if name in needs]
    while waiting:
        further = set(needs.get(waiting.pop(), ())) - expected
        expected |= further
        waiting += further
    return [f"extension {name} is not declared" for name in sorted(needs.keys() - expected)] + [
        f"extension {name} is missing" for name in sorted(wanted - needs.keys())
    ]


def outgoing(cluster: Mapping[str, Any], inside: Iterable[Mapping[str, Any]]) -> list[str]:
    """Everything that could carry rows to another place."""
    found = [f"{kind}: {name}" for kind, names in sorted(cluster["outgoing"].items()) for name in names]
    for database in inside:
        for kind, names in sorted(database["outgoing"].items()):
            found += [f"{kind}: {name}" for name in names if kind != "extensions" or name in REACHING_OUT]
    return found


def hba_problems(
    rules: Sequence[Mapping[str, Any]], sources: Iterable[str], people: Iterable[str], certified: Iterable[str] = ()
) -> list[str]:
    """Loaded lines of pg_hba that let in more than the declared people from the declared networks, or fewer.

    Those of `certified` come in with a certificate in their name only.
    """
    careful = set(certified)
    wanted = {(person, ip_network(source)) for person in people for source in sources}
    found = set()
    problems = []
    for rule in rules:
        if rule["error"]:
            problems.append(f"line {rule['line']} is wrong: {rule['error']}")
        elif rule["type"] == "local":
            if rule["method"] not in LOCAL_METHODS:
                problems.append(f"line {rule['line']} lets local users in by {rule['method']}")
        elif rule["method"] != "reject":
            pairs = {(user, _network(rule)) for user in rule["users"]}
            found |= pairs
            if rule["type"] != "hostssl" or rule["method"] not in NETWORK_METHODS:
                problems.append(f"line {rule['line']} lets in by {rule['type']} and {rule['method']}")
            problems += [f"line {rule['line']} lets {user} in from {net}" for user, net in pairs - wanted]
            if BOUND not in (rule.get("options") or ()):
                loose = sorted({user for user, _ in pairs} & careful)
                problems += [f"line {rule['line']} lets {user} in without a certificate" for user in loose]
    return problems + [f"{user} is not let in from {net}" for user, net in sorted(wanted - found, key=str)]


def _network(rule: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a network, or the keyword that stands for one
    if not rule["netmask"]:
        return rule["address"]
    bits = int(ip_address(rule["netmask"])).bit_count()
    return ip_network(f"{rule['address']}/{bits}")
