"""Judgements on recorded outputs: what is sound passes, and each thing that is broken is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.declaration import services

from controls.judges import accounts, cluster, firewall, logs, ports, sshd
from controls.judges.firewall import Opening

RULES = """\
*filter
:INPUT DROP [0:0]
:ufw-user-input - [0:0]
:before - [0:0]
-A INPUT -j before
-A before -i lo -j ACCEPT
-A before -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A before -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A before -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A before -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT
-A ufw-user-input -s 198.51.100.5/32 -p tcp -m tcp --dport 5432 -j ACCEPT
COMMIT
"""
SOUND = {Opening("tcp", "443", "0.0.0.0/0"), Opening("tcp", "5432", "198.51.100.5/32")}


def test_openings_are_what_the_rules_let_in() -> None:
    assert firewall.openings(RULES, 4) == SOUND


@pytest.mark.parametrize(
    ("rule", "opening"),
    [
        ("-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT", Opening("tcp", "8080", "0.0.0.0/0")),
        ("-I INPUT -j ACCEPT".replace("-I", "-A"), Opening("any", "any", "0.0.0.0/0")),
        ("-A INPUT -s 203.0.113.0/24 -j ACCEPT", Opening("any", "any", "203.0.113.0/24")),
        ("-A INPUT -p tcp -m multiport --dports 25,110 -j ACCEPT", Opening("tcp", "25,110", "0.0.0.0/0")),
        ("-A INPUT -p tcp -m conntrack --ctstate NEW -m tcp --dport 21 -j ACCEPT", Opening("tcp", "21", "0.0.0.0/0")),
        (":mine - [0:0]\n-A INPUT -g mine\n-A mine -p tcp --dport 23 -j ACCEPT", Opening("tcp", "23", "0.0.0.0/0")),
        ("-A INPUT -s 192.0.2.9/32 ! -p icmp -j ACCEPT", Opening("any", "any", "0.0.0.0/0")),
        ("-A INPUT ! -i lo -p tcp --dport 5432 -j ACCEPT", Opening("any", "any", "0.0.0.0/0")),
        ("-A INPUT -p tcp --dport 79 -j NFQUEUE --queue-bypass", Opening("tcp", "79", "0.0.0.0/0")),
        ("-A INPUT -s 192.0.2.9/32 -j deep\n:deep - [0:0]\n-A deep -j ACCEPT", Opening("any", "any", "192.0.2.9/32")),
    ],
)
def test_each_further_opening_is_found(rule: str, opening: Opening) -> None:
    assert firewall.openings(RULES.replace("COMMIT", f"{rule}\nCOMMIT"), 4) == SOUND | {opening}


def test_chain_that_nothing_leads_to_opens_nothing() -> None:
    assert firewall.openings(RULES.replace("COMMIT", ":idle - [0:0]\n-A idle -j ACCEPT\nCOMMIT"), 4) == SOUND


@pytest.mark.parametrize("rules", ["", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"], ids=["no rules", "accepting policy"])
def test_no_dropping_policy_means_open(rules: str) -> None:
    assert [opening.port for opening in firewall.openings(rules, 4)] == ["any"]


def test_declared_openings_are_those_of_the_family() -> None:
    rules = [{"proto": "tcp", "port": 5432, "sources": ["198.51.100.5/32", "fd32::5/128"]}]
    assert firewall.declared_openings(rules, 6) == {Opening("tcp", "5432", "fd32::5/128")}


EFFECTIVE = """\
pubkeyauthentication yes
passwordauthentication no
kbdinteractiveauthentication no
authorizedkeysfile none
permitrootlogin no
trustedusercakeys /etc/ssh/user_ca.pub
authorizedprincipalsfile /etc/ssh/principals/%u
"""


def test_certificates_only_has_no_weakness() -> None:
    assert sshd.weaknesses(sshd.effective(EFFECTIVE)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("passwordauthentication no", "passwordauthentication yes"),
        ("kbdinteractiveauthentication no", "kbdinteractiveauthentication yes"),
        ("authorizedkeysfile none", "authorizedkeysfile .ssh/authorized_keys"),
        ("permitrootlogin no", "permitrootlogin without-password"),
        ("trustedusercakeys /etc/ssh/user_ca.pub", "trustedusercakeys none"),
        ("authorizedprincipalsfile /etc/ssh/principals/%u\n", ""),
        ("pubkeyauthentication yes", "pubkeyauthentication no"),
        ("pubkeyauthentication yes", "pubkeyauthentication yes\nauthorizedkeyscommand /bin/keys"),
    ],
)
def test_each_weak_setting_is_found(before: str, after: str) -> None:
    assert len(sshd.weaknesses(sshd.effective(EFFECTIVE.replace(before, after)))) == 1


LOG = (
    "2026-11-24T12:00:00+00:00 server sshd-session[7]: Accepted publickey for jane from 192.0.2.1 port 4 ssh2: "
    "ED25519-CERT SHA256:key ID jane@unit audit (serial 9) CA ED25519 SHA256:authority"
)


def test_certificate_login_names_person_and_authority() -> None:
    assert sshd.accepted(LOG) == ("jane@unit", "SHA256:authority")


def test_login_with_a_bare_key_is_none_with_a_certificate() -> None:
    assert sshd.accepted(LOG.replace("ED25519-CERT SHA256:key ID", "ED25519 SHA256:key ID")) is None


REFUSED = """\
t server sshd-session[1]: Connection from 192.0.2.1 port 9 on 192.0.2.2 port 22
t server sshd-session[2]: Failed publickey for joe from 192.0.2.1 port 8 ssh2: ED25519 SHA256:k
t server sshd-session[1]: userauth_pubkey: signature algorithm ssh-ed25519 not in PubkeyAcceptedAlgorithms [preauth]
t server sshd-session[1]: Connection closed by authenticating user jane 192.0.2.1 port 9 [preauth]
"""


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("jane", "userauth_pubkey: signature algorithm ssh-ed25519 not in PubkeyAcceptedAlgorithms [preauth]"),
        ("joe", "Failed publickey for joe from 192.0.2.1 port 8 ssh2: ED25519 SHA256:k"),
        ("eve", ""),
    ],
)
def test_reason_of_a_refusal_is_that_of_the_persons_own_connection(person: str, said: str) -> None:
    assert sshd.refusal(REFUSED, person) == said


@pytest.mark.parametrize(
    ("message", "ways"),
    [
        ("jane@server: Permission denied (publickey).", {"publickey"}),
        ("jane@server: Permission denied (publickey,password).", {"publickey", "password"}),
        ("ssh: connect to host server port 22: Connection refused", set()),
    ],
)
def test_offered_ways_are_those_the_server_names(message: str, ways: set[str]) -> None:
    assert sshd.offered(message) == ways


WANTED = cluster.expected(["platform"], {"jane": "admin", "joe": "readonly"})


def role(**changes: object) -> dict[str, object]:
    """A role as sql/cluster.sql prints it."""
    return {"login": False, "powers": [], "password": "none", **changes}


def sound() -> dict[str, Any]:
    """A cluster as declared."""
    roles: dict[str, Any] = {name: role(login=name in WANTED.logins) for name in WANTED.roles}
    roles["postgres"] = role(login=True, powers=["superuser"])
    own = [["platform_owner", "CONNECT"], ["platform", "CONNECT"], ["platform_readonly", "CONNECT"]]
    databases = {
        "platform": {"owner": "platform_owner", "grants": own},
        "postgres": {"owner": "postgres", "grants": []},
    }
    outgoing: dict[str, Any] = {"slots": [], "senders": [], "subscriptions": []}
    memberships = [list(pair) for pair in WANTED.memberships]
    return {"roles": roles, "memberships": memberships, "databases": databases, "outgoing": outgoing}


def problems(found: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a cluster."""
    return [
        *cluster.loose_logins(found, WANTED),
        *cluster.role_problems(found, WANTED),
        *cluster.membership_problems(found, WANTED),
        *cluster.database_problems(found, WANTED),
        *cluster.outgoing(found, []),
    ]


def test_who_is_concerned_has_to_be_able_to_connect() -> None:
    found = sound()
    found["databases"]["platform"]["grants"].remove(["platform_readonly", "CONNECT"])
    assert problems(found) == ["platform_readonly cannot connect to database platform"]


def test_a_setting_that_somebody_has_otherwise_is_named() -> None:
    own = [["jane", "platform", "log_statement"], ["everybody", "", "work_mem"]]
    assert cluster.setting_problems({"own_settings": own}) == [
        "everybody has work_mem otherwise",
        "jane has log_statement otherwise in database platform",
    ]
    assert cluster.setting_problems({"own_settings": []}) == []


def test_a_setting_from_elsewhere_is_named_and_a_file_not_loaded_as_it_is() -> None:
    own, other = "/etc/postgresql/17/main/postgresql.conf", "/etc/postgresql/17/main/conf.d/x.conf"
    found: dict[str, Any] = {"settings": {"config_file": own}, "settings_loaded": True}
    assert cluster.source_problems({**found, "set_elsewhere": {"DateStyle": own, "port": own}}) == []
    elsewhere = {"archive_command": own, "port": other}
    assert cluster.source_problems({**found, "set_elsewhere": elsewhere, "settings_loaded": False}) == [
        f"archive_command is set in {own}",
        f"port is set in {other}",
        "a file was changed after the server loaded it",
    ]


def test_declared_cluster_has_no_problem() -> None:
    assert problems(sound()) == []


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("roles", "eve", role(), "role eve is not declared"),
        ("roles", "platform_owner", role(login=True), "platform_owner can log in"),
        ("roles", "joe", role(login=True, powers=["bypassrls"]), "joe is bypassrls"),
        ("roles", "joe", role(login=True) | {"password": "md5abc"}, "the password of joe is no scram hash"),
        ("databases", "shadow", {"owner": "postgres", "grants": []}, "database shadow is not declared"),
        ("databases", "platform", {"owner": "joe", "grants": []}, "database platform belongs to joe"),
        ("outgoing", "slots", ["copy"], "slots: copy"),
    ],
)
def test_each_stray_part_of_a_cluster_is_named(part: str, key: str, value: object, said: str) -> None:
    found = sound()
    found[part][key] = value
    assert said in problems(found)


def test_stray_and_missing_memberships_are_named() -> None:
    found = sound()
    found["memberships"].append(["platform_owner", "joe"])
    found["memberships"].remove(["platform_readonly", "joe"])
    assert cluster.membership_problems(found, WANTED) == ["joe is in platform_owner", "joe is not in platform_readonly"]


def test_public_grant_on_a_database_is_named() -> None:
    found = sound()
    found["databases"]["platform"]["grants"].append(["PUBLIC", "CONNECT"])
    assert problems(found) == ["PUBLIC has CONNECT on database platform"]


def relation(
    *grants: list[str], owner: str = "platform_owner", kind: str = "r", extension: str | None = None
) -> dict[str, Any]:
    """A database with one relation."""
    content = {"kind": kind, "owner": owner, "grants": list(grants), "triggers": [], "extension": extension}
    return {"schemas": {}, "relations": {"public.t": content}}


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (relation(["platform", "DELETE"], ["platform_readonly", "SELECT"]), []),
        (relation(["platform", "USAGE"], kind="S"), []),
        (relation(["platform", "TRUNCATE"]), ["platform has TRUNCATE on public.t"]),
        (relation(["platform_readonly", "UPDATE"]), ["platform_readonly has UPDATE on public.t"]),
        (relation(["joe", "SELECT"]), ["joe has SELECT on public.t"]),
        (relation(["PUBLIC", "SELECT"]), ["PUBLIC has SELECT on public.t"]),
        (relation(owner="joe"), ["public.t belongs to joe"]),
        (relation(["PUBLIC", "SELECT"], owner="postgres", kind="v", extension="pg_stat_statements"), []),
        (
            relation(["PUBLIC", "SELECT"], owner="postgres", extension="pg_trgm"),
            ["PUBLIC has SELECT on public.t"],
        ),
        (relation(owner="joe", extension="pg_trgm"), ["public.t belongs to joe"]),
    ],
)
def test_grants_on_tables_beyond_the_declared_are_named(inside: dict[str, Any], found: list[str]) -> None:
    assert cluster.relation_problems(inside, "platform") == found


@pytest.mark.parametrize(
    ("there", "declared", "found"),
    [
        ({}, [], []),
        ({"cube": [], "earthdistance": ["cube"]}, ["earthdistance"], []),
        ({"cube": []}, [], ["extension cube is not declared"]),
        ({"cube": [], "earthdistance": ["cube"]}, ["cube"], ["extension earthdistance is not declared"]),
        ({}, ["pg_trgm"], ["extension pg_trgm is missing"]),
    ],
)
def test_extensions_beyond_and_below_the_declared_are_named(
    there: dict[str, list[str]], declared: list[str], found: list[str]
) -> None:
    assert cluster.extension_problems({"extensions": there}, declared) == found


def test_what_the_audit_refuses_cannot_be_declared() -> None:
    assert frozenset(services.REACHING_OUT) == cluster.REACHING_OUT


def line(**changes: object) -> dict[str, object]:
    """A line of pg_hba as the server loaded it."""
    network = {"address": "198.51.100.5", "netmask": "255.255.255.255"}
    return {
        "line": 9,
        "type": "hostssl",
        "users": ["joe"],
        "method": "scram-sha-256",
        "error": None,
        **network,
        **changes,
    }


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([line()], ""),
        ([line(), {**line(), "type": "local", "method": "peer", "netmask": None}], ""),
        ([line(), {**line(), "type": "local", "method": "trust", "netmask": None}], "lets local users in by trust"),
        ([line(type="host")], "lets in by host and scram-sha-256"),
        ([line(method="md5")], "lets in by hostssl and md5"),
        ([line(), line(users=["all"])], "lets all in from 198.51.100.5/32"),
        ([line(), line(address="192.0.2.0", netmask="255.255.255.0")], "lets joe in from 192.0.2.0/24"),
        ([line(), line(address="all", netmask=None)], "lets joe in from all"),
        ([line(), line(error="invalid")], "is wrong: invalid"),
        ([], "joe is not let in from 198.51.100.5/32"),
    ],
)
def test_loaded_pg_hba_is_compared_with_the_declaration(rules: list[dict[str, Any]], said: str) -> None:
    found = cluster.hba_problems(rules, ["198.51.100.5/32"], ["joe"])
    assert found == [] if not said else any(said in problem for problem in found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["clientcert=verify-full"], []),
        (["clientcert=verify-ca"], ["line 9 lets joe in without a certificate"]),
        (None, ["line 9 lets joe in without a certificate"]),
    ],
)
def test_who_needs_a_certificate_has_no_other_way_in(options: list[str] | None, said: list[str]) -> None:
    assert cluster.hba_problems([line(options=options)], ["198.51.100.5/32"], ["joe"], ["joe"]) == said


def test_combined_line_is_read() -> None:
    written = '192.0.2.7 - jane@example.test [24/Nov/2026:12:00:00 +0000] "GET /admin/ HTTP/1.1" 200 5 "-" "audit"'
    assert logs.parse(written) == logs.Entry(
        client="192.0.2.7", account="jane@example.test", request="GET /admin/ HTTP/1.1", status=200
    )


@pytest.mark.parametrize("written", ["", "192.0.2.7 GET /", '{"client": "192.0.2.7"}'])
def test_line_of_another_format_is_none(written: str) -> None:
    assert logs.parse(written) is None


@pytest.mark.parametrize(
    ("section", "days"),
    [
        ("daily\nrotate 365\nmaxage 365", 365),
        ("weekly\nrotate 52", 364),
        ("daily\nrotate 365\nmaxage 30", 30),
        ("daily\n# rotate 365\nrotate 14", 14),
        ("daily", 0),
    ],
)
def test_kept_days_follow_from_period_count_and_age(section: str, days: float) -> None:
    assert logs.kept_days(section) == days


@pytest.mark.parametrize(("age", "found"), [(0, []), (366, []), (368, ["access.log-old.gz (368 days)"])])
def test_a_log_that_should_be_gone_is_named(age: int, found: list[str]) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    written = (now - timedelta(days=age)).timestamp()
    listed = f"{now.timestamp()} access.log\n{written:.10f} access.log-old.gz\n"
    assert logs.overdue(listed, 365, now) == found


ACCOUNTS = "root:x:0:0::/root:/bin/bash\njane:x:1001:1001::/home/jane:/bin/bash\njoe:x:1002:1002::/home/joe:/bin/bash\n"
GROUP = "root:x:0:\nart32-people:x:900:jane,joe\nart32-admin:x:901:jane\njoe:x:1002:\n"


@pytest.mark.parametrize(
    ("group", "found"),
    [("art32-people", {"jane", "joe"}), ("art32-admin", {"jane"}), ("joe", {"joe"}), ("none", set())],
)
def test_members_are_listed_or_have_it_as_first_group(group: str, found: set[str]) -> None:
    assert accounts.members(ACCOUNTS, GROUP, group) == found


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("%art32-admin ALL=(ALL:ALL) NOPASSWD: ALL", {"jane"}),
        ("joe ALL=(root) /usr/bin/less", {"joe"}),
        ("Defaults env_reset", set()),
        ("@includedir /etc/sudoers.d", set()),
        ("#includedir /etc/sudoers.d", set()),
        ("# a remark", set()),
        ("@include /srv/more", {"whoever /srv/more names"}),
        ("#include /srv/more", {"whoever /srv/more names"}),
        ("joe, jane ALL=(ALL) ALL", {"joe", "jane"}),
        ("%art32-admin,joe ALL=(ALL) ALL", {"joe", "jane"}),
        ("#1002 ALL=(ALL) ALL", {"joe"}),
        ("%#901 ALL=(ALL) ALL", {"jane"}),
    ],
)
def test_sudoers_are_the_accounts_that_lines_are_for(rule: str, found: set[str]) -> None:
    assert accounts.sudoers(rule, ACCOUNTS, GROUP) == found


def test_set_and_empty_passwords_are_found() -> None:
    assert accounts.with_password("root locked\njane set\njoe empty\n") == ["jane", "joe"]


def test_principals_beyond_and_below_the_declared_are_named() -> None:
    found = accounts.principals("jane:jane\njane:eve\njane:# a comment\nold:old\n")
    assert accounts.differences(found, {"jane": {"jane"}, "joe": {"joe"}}) == [
        "eve gets in as jane",
        "old gets in as old",
        "joe does not get in as joe",
    ]


def test_listening_ports_are_those_beyond_the_loopback() -> None:
    sockets = (
        "udp UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\ntcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n"
        "tcp LISTEN 0 9 127.0.0.1:25 0.0.0.0:*\ntcp LISTEN 0 9 [::1]:25 [::]:*\ntcp LISTEN 0 9 [::]:443 [::]:*\n"
    )
    assert ports.listening(sockets) == {22, 443}


def test_attempts_are_read_with_the_systems_own_words() -> None:
    assert ports.parse("192.0.2.1 443 open\nfd32::1 22 No route to host\n") == {
        ("192.0.2.1", 443): "open",
        ("fd32::1", 22): "No route to host",
    }


INSIDE = {"columns": [], "rules": [], "functions": [["public.record", "shop_owner", True]]}


def test_code_and_columns_of_the_databases_owner_are_no_problem() -> None:
    columns = [["public.a", "b", "shop", "UPDATE"], ["public.a", "b", "shop_readonly", "SELECT"]]
    assert cluster.hidden_problems({**INSIDE, "columns": columns}, "shop") == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"columns": [["public.a", "b", "shop_readonly", "UPDATE"]]}, "shop_readonly has UPDATE on public.a.b"),
        ({"columns": [["public.a", "b", "PUBLIC", "SELECT"]]}, "PUBLIC has SELECT on public.a.b"),
        ({"rules": [["public.a", "quiet"]]}, "the rule quiet rewrites what is done to public.a"),
        ({"functions": [["public.f", "joe", False]]}, "the function public.f is joe's"),
        (
            {"functions": [["public.f", "postgres", True]]},
            "the function public.f is postgres's, with whose rights it runs",
        ),
    ],
)
def test_what_no_grant_of_a_table_shows_is_named(changed: dict[str, list[object]], problem: str) -> None:
    assert cluster.hidden_problems({**INSIDE, **changed}, "shop") == [problem]


def test_rows_outside_of_the_declared_databases_are_named() -> None:
    main, old = (f"/etc/postgresql/{version}/main/postgresql.conf" for version in (17, 15))
    settings = {"config_file": main}
    assert cluster.stray_problems({"strays": [], "settings": settings}, main) == []
    assert cluster.stray_problems({"strays": ["public.copy"], "settings": settings}, f"{main}\n{old}") == [
        "public.copy stands in the database postgres",
        f"there is another cluster ({old})",
    ]
