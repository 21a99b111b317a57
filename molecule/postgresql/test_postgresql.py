"""Who reaches the server, from where and how; and what it runs with."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controls.client_certificates import issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

LONG_AGO = "4711-long-ago"
DELAY = 0.5  # seconds, of the server
REFUSED = "no pg_hba.conf entry"


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def address(request: pytest.FixtureRequest, server: Machine) -> str:
    return str(server.addresses[request.param])


def ask(server: Machine, query: str, database: str = "postgres") -> str:
    """What the server answers to its own account."""
    return str(server.check_output("runuser -u postgres -- psql -XAtq -d %s -c %s", database, query))


def log_in(vantage: Machine, server: Machine, address: str, **parts: Any) -> str:  # noqa: ANN401 - connection parameters
    """What comes of a login as joe from a vantage host, the certificate not yet known there."""
    password = parts.pop("password", server.variable("vault_database_passwords")["joe"])
    parameters = {"host": address, "user": "joe", "dbname": "platform", "sslmode": "require", "connect_timeout": 5}
    words = " ".join(f"{name}={value}" for name, value in {**parameters, **parts}.items())
    query = "SELECT current_user, ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    done = vantage.run("PGPASSWORD=%s psql -XAtq %s -c %s", password, words, query)
    return str(done.stdout + done.stderr).strip()


def certificate(vantage: Machine, scratch: Path, name: str, *, authority: tuple[str, str]) -> dict[str, str]:
    """A certificate in somebody's name and its key, laid down on a vantage host; what a client is told of them."""
    made = issue(scratch, name=name, authority=authority[0], private_key=authority[1])
    for option, path in made.items():
        vantage.check_output("umask 077; printf %%s %s >%s", Path(path).read_text(encoding="utf-8"), option)
    return {option: option for option in made}


@pytest.fixture
def authority(server: Machine) -> tuple[str, str]:
    """The declared authority of the people's certificates, and its key."""
    return server.variable("postgresql_client_ca"), server.variable("postgresql_client_ca_private_key")


@pytest.fixture
def other(management: Machine) -> tuple[str, str]:
    """An authority of the same name that nobody declared."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj '/CN=database clients' -keyout -"
    told = management.check_output(f"{make} 2>/dev/null")
    key, _, rest = told.partition("-----BEGIN CERTIFICATE-----")
    return f"-----BEGIN CERTIFICATE-----{rest}\n", key


def as_account(server: Machine, account: str, *, user: str, database: str = "platform") -> str:
    """What comes of a login over the socket as a user of the operating system."""
    done = server.run("runuser -u %s -- psql -XAtq -U %s -d %s -c 'SELECT current_user'", account, user, database)
    return str(done.stdout + done.stderr).strip()


def test_a_person_logs_in_from_the_management(management: Machine, server: Machine, address: str) -> None:
    assert log_in(management, server, address) == "joe|t|TLSv1.3"


def test_the_certificate_can_be_pinned(management: Machine, server: Machine, address: str) -> None:
    pinned = server.file("/etc/postgresql/art32/server.crt").content_string
    management.check_output("umask 077; printf %%s %s >server.crt", pinned)
    parts = {"sslmode": "verify-full", "sslrootcert": "server.crt"}
    assert log_in(management, server, address, **parts) == "joe|t|TLSv1.3"
    management.check_output(
        "openssl req -x509 -newkey ed25519 -noenc -subj /CN=other -keyout /dev/null -out server.crt"
    )
    assert "certificate verify failed" in log_in(management, server, address, **parts)


def test_a_certificate_in_the_own_name_is_needed_beside_the_password(
    management: Machine, server: Machine, address: str, tmp_path: Path, authority: tuple[str, str]
) -> None:
    ann = {"user": "ann", "password": server.variable("vault_database_passwords")["ann"]}
    assert "requires a valid client certificate" in log_in(management, server, address, **ann)
    own = certificate(management, tmp_path, "ann", authority=authority)
    assert log_in(management, server, address, **ann, **own) == "ann|t|TLSv1.3"
    assert "password authentication failed" in log_in(management, server, address, **{**ann, **own, "password": "no"})


def test_a_certificate_in_another_name_is_refused(
    management: Machine, server: Machine, tmp_path: Path, authority: tuple[str, str]
) -> None:
    ann = {"user": "ann", "password": server.variable("vault_database_passwords")["ann"]}
    others = certificate(management, tmp_path, "joe", authority=authority)
    assert "authentication failed" in log_in(management, server, server.addresses[0], **ann, **others)
    log = server.check_output("tail -n 50 /var/log/postgresql/*.log")
    assert 'certificate validation (clientcert=verify-full) failed for user "ann": CN mismatch' in log


def test_a_certificate_of_another_authority_is_refused(
    management: Machine, server: Machine, tmp_path: Path, other: tuple[str, str]
) -> None:
    ann = {"user": "ann", "password": server.variable("vault_database_passwords")["ann"]}
    forged = certificate(management, tmp_path, "ann", authority=other)
    assert re.search("unknown ca|decrypt error", log_in(management, server, server.addresses[0], **ann, **forged))


@pytest.fixture
def weak_hash(server: Machine) -> Iterator[str]:
    """Joe's password as it was stored before PostgreSQL 14; afterwards as it was."""
    stored = ask(server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'joe'")
    ask(server, f"SET password_encryption = md5; ALTER ROLE joe PASSWORD '{LONG_AGO}'")
    yield LONG_AGO
    ask(server, f"ALTER ROLE joe PASSWORD '{stored}'")


def test_a_password_stored_as_md5_lets_nobody_in(
    management: Machine, server: Machine, address: str, weak_hash: str
) -> None:
    assert ask(server, "SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = 'joe'") == "md5"
    assert "password authentication failed" in log_in(management, server, address, password=weak_hash)
    log = server.check_output("tail -n 50 /var/log/postgresql/*.log")
    assert 'User "joe" does not have a valid SCRAM secret' in log


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ({"sslmode": "disable"}, f"{REFUSED} for host .* no encryption"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "postgres"}, REFUSED),
        ({"user": "platform"}, REFUSED),
        ({"user": "platform_owner"}, REFUSED),
        ({"user": "kim"}, REFUSED),  # the last day has passed
        ({"dbname": "postgres"}, REFUSED),
        ({"dbname": "template1"}, REFUSED),
        ({"replication": "true"}, "exceeds .?max_wal_senders"),
        ({"ssl_max_protocol_version": "TLSv1.1", "ssl_min_protocol_version": "TLSv1.1"}, "SSL error|protocol version"),
    ],
)
def test_everything_else_is_refused_even_there(
    management: Machine, server: Machine, parts: dict[str, str], answer: str
) -> None:
    assert re.search(answer, log_in(management, server, server.addresses[0], **parts))


def test_a_visitor_is_refused_by_pg_hba_alone(visitor: Machine, server: Machine, address: str) -> None:
    # There is no firewall in this scenario: the port answers, the server refuses.
    assert REFUSED in log_in(visitor, server, address)
    log = server.check_output("tail -n 200 /var/log/postgresql/*.log")
    assert f'{REFUSED} for host "{visitor.addresses[server.addresses.index(address)]}", user "joe"' in log


@pytest.mark.parametrize(
    ("account", "user", "database", "answer"),
    [
        ("platform", "platform", "platform", "platform"),
        ("second-one", "second_one", "second_one", "second_one"),
        ("platform", "platform_owner", "platform", "Peer authentication failed"),
        ("platform", "second_one", "second_one", "Peer authentication failed"),
        ("platform", "postgres", "postgres", "Peer authentication failed"),
        ("platform-migrate", "platform", "platform", "Peer authentication failed"),
        # Right by the map, but the owner has a login only while a migration runs.
        ("platform-migrate", "platform_owner", "platform", 'role "platform_owner" is not permitted to log in'),
        ("admin", "platform", "platform", "Peer authentication failed"),
        ("admin", "joe", "platform", REFUSED),
        ("postgres", "postgres", "platform", "postgres"),
    ],
)
def test_who_gets_in_over_the_socket(server: Machine, account: str, user: str, database: str, answer: str) -> None:
    assert answer in as_account(server, account, user=user, database=database)


def test_every_rule_is_loaded_and_none_is_wider(server: Machine) -> None:
    rules = ask(server, "SELECT type, auth_method, error FROM pg_hba_file_rules").splitlines()
    assert {rule for rule in rules if not rule.startswith("local|peer|")} == {"hostssl|scram-sha-256|"}
    bound = ask(server, "SELECT DISTINCT user_name, options FROM pg_hba_file_rules WHERE options::text ~ 'clientcert'")
    assert bound == "{ann}|{clientcert=verify-full}"
    assert ask(server, "SELECT pg_conf_load_time() >= (pg_stat_file(current_setting('hba_file'))).modification") == "t"


@pytest.fixture
def wrong_rule(server: Machine) -> Iterator[None]:
    """A line at the end of pg_hba.conf that the server cannot read."""
    rules = ask(server, "SHOW hba_file")
    kept = server.file(rules).content_string
    server.check_output("echo host all all 10.0.0.0/33 scram-sha-256 >>%s", rules)
    yield
    # Its time too, by which is known whether it was loaded.
    server.check_output("printf %%s %s >%s.kept && touch -d '1 hour ago' %s.kept", kept, rules, rules)
    server.check_output("cat %s.kept >%s && touch -r %s.kept %s && rm %s.kept", *[rules] * 5)


def test_wrong_rules_are_refused_before_they_are_loaded(management: Machine, server: Machine, wrong_rule: None) -> None:
    del wrong_rule
    assert ask(server, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "1"
    loaded = ask(server, "SELECT pg_conf_load_time()")
    version = ask(server, "SHOW server_version").split(".")[0]
    refused = server.run("/usr/local/lib/art32/postgresql-load %s", version)
    assert refused.rc != 0
    assert "pg_hba.conf, line" in refused.stderr
    assert ask(server, "SELECT pg_conf_load_time()") == loaded
    assert log_in(management, server, server.addresses[0]) == "joe|t|TLSv1.3"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ssl_min_protocol_version", "TLSv1.2"),
        ("password_encryption", "scram-sha-256"),
        ("data_checksums", "on"),
        ("log_connections", "on"),
        ("max_wal_senders", "0"),
        ("statement_timeout", "1h"),
        ("archive_mode", "off"),  # no repository is declared here
    ],
)
def test_settings_in_force(server: Machine, name: str, value: str) -> None:
    assert ask(server, f"SHOW {name}") == value


def test_a_last_day_is_the_servers_own_rule(server: Machine) -> None:
    assert ask(server, "SELECT rolvaliduntil AT TIME ZONE 'UTC' FROM pg_roles WHERE rolname = 'max'") == (
        "2031-02-01 00:00:00"
    )
    assert (
        ask(server, "SELECT rolvaliduntil IS NULL OR rolvaliduntil = 'infinity' FROM pg_roles WHERE rolname = 'joe'")
        == "t"
    )


def test_changes_of_structure_and_rights_are_in_the_log(server: Machine) -> None:
    ask(server, "CREATE ROLE audited PASSWORD 'known-to-4711'; CREATE TABLE audited (id int); DROP TABLE audited")
    ask(server, "DROP ROLE audited")
    log = server.check_output("tail -n 50 /var/log/postgresql/*.log")
    assert "AUDIT: SESSION" in log
    assert "DDL,CREATE TABLE," in log
    assert "ROLE,CREATE ROLE," in log
    # The words too, where they are logged without the password.
    assert ("CREATE ROLE audited" in log) == (int(ask(server, "SHOW server_version_num")) >= 160000)
    assert "known-to-4711" not in log


def test_a_short_password_and_quick_guesses_are_refused(management: Machine, server: Machine) -> None:
    short = server.run("runuser -u postgres -- psql -XAtq -c %s", "ALTER ROLE max PASSWORD 'short'")
    assert "password is too short" in short.stderr
    begun = time.monotonic()
    assert "password authentication failed" in log_in(management, server, server.addresses[0], password="wrong")  # noqa: S106 - none
    assert time.monotonic() - begun >= DELAY


def test_the_size_follows_the_machine(server: Machine) -> None:
    cores = int(server.check_output("getconf _NPROCESSORS_ONLN"))
    memory = int(server.check_output("grep MemTotal: /proc/meminfo | tr -dc 0-9")) // 1024
    assert int(ask(server, "SHOW max_parallel_workers")) == cores
    shared = int(ask(server, "SELECT setting::bigint * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'"))
    assert memory * 0.15 <= shared <= memory * 0.26


PERMISSIVE = """set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
as_postgres() { runuser -u postgres -- "$@"; }
cd /
as_postgres rm -rf /tmp/permissive
as_postgres $bin/initdb -D /tmp/permissive >/dev/null
key="-c ssl=on -c ssl_cert_file=/etc/postgresql/art32/server.crt -c ssl_key_file=/etc/postgresql/art32/server.key"
weak="-c ssl_min_protocol_version=TLSv1 -c ssl_ciphers=ALL:@SECLEVEL=0"
open="-p 5444 -k /tmp -c listen_addresses=*"
as_postgres $bin/pg_ctl -D /tmp/permissive -w -l /tmp/permissive.log -o "$open $key $weak" start >/dev/null
"""


def weak_client(vantage: Machine, server: Machine, port: int) -> str:
    """What comes of a handshake in TLS 1.1."""
    client = "timeout 20 openssl s_client -connect %s:%s -starttls postgres -tls1_1 -cipher ALL:@SECLEVEL=0"
    done = vantage.run(f"{client} </dev/null 2>&1", server.addresses[0], str(port))
    return str(done.stdout)


def test_tls_1_1_is_refused_by_the_server_itself(management: Machine, server: Machine) -> None:
    server.check_output("sh -c %s", PERMISSIVE)
    try:
        assert "Cipher is ECDHE" in weak_client(management, server, 5444)  # the client would
    finally:
        server.check_output(
            "cd /; runuser -u postgres -- $(echo /usr/lib/postgresql/*/bin)/pg_ctl -D /tmp/permissive stop"
        )
    refused = weak_client(management, server, 5432)
    assert "alert protocol version" in refused
    assert "Cipher is (NONE)" in refused


def test_the_server_is_shut_in(server: Machine) -> None:
    (unit,) = server.check_output("systemctl list-units --plain --no-legend 'postgresql@*' | cut -d ' ' -f 1").split()
    judged = server.run(f"systemd-analyze security --no-pager --threshold=25 {unit}")
    assert judged.rc == 0, judged.stdout
    # What runs is what was judged: no capability, and nothing of the system to write to.
    process = server.check_output(f"systemctl show -P MainPID {unit}")
    assert server.check_output(f"sed -n 's/^CapEff:\\t//p' /proc/{process}/status") == "0" * 16
    assert "Read-only" in server.run(f"nsenter -t {process} -m touch /etc/here").stderr


def test_nothing_waits_for_a_restart(server: Machine) -> None:
    assert ask(server, "SELECT name FROM pg_settings WHERE pending_restart") == ""
    assert ask(server, "SELECT DISTINCT sourcefile FROM pg_settings WHERE sourcefile ~ 'auto.conf'") == ""


def test_it_starts_by_itself_and_the_key_is_safe(server: Machine) -> None:
    assert server.service("postgresql").is_enabled
    key = server.file("/etc/postgresql/art32/server.key")
    assert (key.user, key.group, key.mode) == ("root", "postgres", 0o640)
    assert server.run("runuser -u platform -- cat /etc/postgresql/art32/server.key").rc != 0
