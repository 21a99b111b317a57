"""Judgements on how mail, backups and the database's answers travel, from what the programs told."""

from __future__ import annotations

from typing import Any

import pytest

from controls.judges import conformance, transfers

MAIL = """\
relay sink.example.test:25 tls
CONNECTION ESTABLISHED
Protocol version: TLSv1.3
Ciphersuite: TLS_AES_256_GCM_SHA384
Peer certificate: CN = sink.example.test
Hash used: SHA256
Signature type: RSA-PSS
Verification: OK
Verified peername: sink.example.test
Server Temp Key: X25519, 253 bits
250 HELP
DONE
"""
STRANGER = """\
relay sink.example.test:25 tls
depth=0 CN = sink.example.test
verify error:num=20:unable to get local issuer certificate
803BFD45137F0000:error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:
"""
ANOTHER_NAME = STRANGER.replace("num=20:unable to get local issuer certificate", "num=62:hostname mismatch")
WITHOUT_TLS = """\
relay sink.example.test:25 tls
Didn't find STARTTLS in server response, trying anyway...
80CBD98CF97F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:
"""
SILENT = """\
relay sink.example.test:25 tls
803BD8BAF47F0000:error:8000006F:system library:BIO_connect:Connection refused:calling connect()
connect:errno=111
"""


@pytest.mark.parametrize("told", [MAIL, "no relay\n"], ids=["over TLS", "no mail leaves"])
def test_mail_over_tls_to_a_verified_relay_is_safe(told: str) -> None:
    assert transfers.is_met(told)
    assert transfers.relay_problems(told) == []


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (STRANGER, "unable to get local issuer certificate"),
        (ANOTHER_NAME, "hostname mismatch"),
        (WITHOUT_TLS, "Didn't find STARTTLS"),
        (MAIL.replace("TLSv1.3", "TLSv1.1"), "agrees on TLSv1.1"),
        (MAIL.replace("Verification: OK", "Verification error: self-signed certificate"), "nobody vouches for"),
        ("relay sink.example.test:25 plain\n", "in the clear (base_mail_plain)"),
        ("relay sink.example.test:25 tls\n", "it said nothing"),
    ],
)
def test_mail_that_others_could_read_is_told(told: str, problem: str) -> None:
    assert transfers.is_met(told)
    [found] = transfers.relay_problems(told)
    assert problem in found


def test_relay_that_nobody_met_is_not_judged() -> None:
    assert not transfers.is_met(SILENT)


SETTINGS = {"ssl": "on", "ssl_min_protocol_version": "TLSv1.2"}
RULES = [
    {"line": 3, "type": "local", "method": "peer"},
    {"line": 4, "type": "hostssl", "method": "scram-sha-256"},
    {"line": 5, "type": "host", "method": "reject"},
]


@pytest.mark.parametrize(
    ("settings", "rules", "said"),
    [
        ({}, [], []),
        ({"ssl": "off"}, [], ["ssl is off"]),
        ({"ssl_min_protocol_version": "TLSv1"}, [], ["ssl_min_protocol_version is TLSv1"]),
        ({"ssl_min_protocol_version": ""}, [], ["ssl_min_protocol_version is empty"]),
        ({}, [{"line": 9, "type": "host", "method": "md5"}], ["line 9 of pg_hba.conf lets in by host"]),
        ({}, [{"line": 9, "type": "hostnossl", "method": "trust"}], ["line 9 of pg_hba.conf lets in by hostnossl"]),
    ],
)
def test_database_without_current_tls_is_told(
    settings: dict[str, str], rules: list[dict[str, Any]], said: list[str]
) -> None:
    assert transfers.database_problems(SETTINGS | settings, [*RULES, *rules]) == said


BACKUP = """\
[global]
[server]
pg1-host=server
pg1-host-user=postgres
user postgres
hostname 192.0.2.10
passwordauthentication yes
stricthostkeychecking true
globalknownhostsfile none
userknownhostsfile /etc/pgbackrest/known_hosts
debug1: Connecting to 192.0.2.10 [192.0.2.10] port 22.
debug1: kex: server->client cipher: chacha20-poly1305@openssh.com MAC: <implicit> compression: none
debug1: kex: client->server cipher: chacha20-poly1305@openssh.com MAC: <implicit> compression: none
debug1: Host 'server' is known and matches the ED25519 host key.
debug1: Server accepts key: /etc/art32/identities/pgbackrest-cert.pub ED25519-CERT SHA256:nMvbY7lCudJLhILF8ISKi1pN
Authenticated to 192.0.2.10 ([192.0.2.10]:22) using "publickey".
"""
KNOWN = "debug1: Host 'server' is known and matches the ED25519 host key."
UNREACHED = "ssh: connect to host 192.0.2.10 port 22: Connection refused"


def test_backup_over_ssh_with_a_certificate_is_safe() -> None:
    assert transfers.is_met(BACKUP)
    assert transfers.backup_problems(BACKUP) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("pg1-host-user=postgres", "pg1-host-type=tls"), "pg1-host-type is tls"),
        (("stricthostkeychecking true", "stricthostkeychecking accept-new"), "an unknown host would be believed"),
        (("stricthostkeychecking true", "stricthostkeychecking false"), "an unknown host would be believed"),
        ((KNOWN, "Host key verification failed."), "not the host that is known: Host key verification failed."),
        (("Authenticated to", "Permission denied (publickey)"), "there is no login: Permission denied"),
        (("ED25519-CERT SHA256", "ED25519 SHA256"), "the login is without a certificate"),
        (("chacha20-poly1305@openssh.com", "none"), "nothing is encrypted"),
    ],
)
def test_backup_that_others_could_read_is_told(change: tuple[str, str], problem: str) -> None:
    [found] = transfers.backup_problems(BACKUP.replace(*change))
    assert problem in found


def test_other_side_that_nobody_met_is_not_judged() -> None:
    assert not transfers.is_met(BACKUP.partition("debug1:")[0] + UNREACHED)


SAFE = {"relay": "sink.example.test:25", "tls": "verified", "answered": True, "problem": ""}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"relay": "", "answered": False}, []),
        ({"tls": "none"}, ["it goes to sink.example.test:25 in the clear"]),
        ({"tls": "unverified"}, ["whoever answers as sink.example.test:25 is believed"]),
        ({"answered": False, "problem": "refused"}, []),  # which is not assessed
        ({"problem": "STARTTLS"}, ["sink.example.test:25 is handed nothing: STARTTLS"]),
    ],
)
def test_what_a_service_tells_of_its_mail(change: dict[str, Any], said: list[str]) -> None:
    assert conformance.mail_problems(SAFE | change) == said
