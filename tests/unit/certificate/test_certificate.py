"""What certbot's files say, and when that is not what was declared."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.art32.server.plugins.module_utils.certificate import (
    Authority,
    Certificate,
    CertificateError,
    Lineage,
    differences,
    issue,
    issue_command,
    mend,
    neglect,
    parse_openssl,
    parse_renewal,
    read_lineage,
)
from ansible_collections.art32.server.plugins.module_utils.certificate import lineage as lineages

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DIRECTORY = "https://acme.example.test/dir"
WANTED = Certificate(name="platform.example.test", domains=("platform.example.test",))
AUTHORITY = Authority(directory=DIRECTORY, webroot="/var/www/acme", email="operations@provider.example")
RENEWAL = """\
version = 5.8.0
archive_dir = /etc/letsencrypt/archive/platform.example.test
cert = /etc/letsencrypt/live/platform.example.test/cert.pem

# Options used in the renewal process
[renewalparams]
account = 4d0d1ab1
server = https://acme.example.test/dir
key_type = ecdsa
[[webroot_map]]
platform.example.test = /var/www/acme
"""


def lineage(
    directory: str = DIRECTORY,
    key_type: str = "ecdsa",
    domains: frozenset[str] = frozenset({"platform.example.test"}),
    expires: datetime = datetime(2026, 8, 1, tzinfo=UTC),
) -> Lineage:
    return Lineage(directory=directory, key_type=key_type, domains=domains, expires=expires)


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (lineage(), []),
        (None, ["there is none"]),
        (
            lineage(directory="https://staging.example.test/dir"),
            [f"it comes from https://staging.example.test/dir, not from {DIRECTORY}"],
        ),
        (
            lineage(domains=frozenset({"b.example.test", "a.example.test"})),
            ["it is for a.example.test, b.example.test, not for platform.example.test"],
        ),
        (lineage(key_type="rsa"), ["its key is rsa, not ecdsa"]),
        (lineage(expires=NOW), ["it expired on 2026-06-01 00:00 UTC"]),
    ],
)
def test_differences_are_told_one_by_one(found: Lineage | None, reasons: list[str]) -> None:
    assert differences(WANTED, DIRECTORY, found, now=NOW) == reasons


def test_a_renewal_file_is_read_with_its_sections() -> None:
    settings = parse_renewal(RENEWAL)
    assert settings["server"] == DIRECTORY
    assert settings["key_type"] == "ecdsa"


def test_names_and_expiry_are_read_from_openssl() -> None:
    text = (
        "notAfter=Aug  1 10:00:00 2026 GMT\n"
        "X509v3 Subject Alternative Name: \n    DNS:a.example.test, DNS:b.example.test\n"
    )
    assert parse_openssl(text) == (
        frozenset({"a.example.test", "b.example.test"}),
        datetime(2026, 8, 1, 10, tzinfo=UTC),
    )


def test_what_openssl_did_not_understand_is_an_error() -> None:
    with pytest.raises(CertificateError, match="names no expiry"):
        parse_openssl("No extensions in certificate\n")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (tmp_path / "renewal").mkdir()
    live = tmp_path / "live" / WANTED.name
    live.mkdir(parents=True)
    (tmp_path / "renewal" / f"{WANTED.name}.conf").write_text(RENEWAL)
    names = f"subjectAltName=DNS:{WANTED.name}"
    subject = ["-subj", "/CN=art32", "-addext", names, "-days", "30"]
    files = ["-keyout", str(live / "privkey.pem"), "-out", str(live / "cert.pem")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *key, *subject, *files], check=True, capture_output=True)
    return tmp_path


def test_a_lineage_is_read_from_certbots_files(configuration: Path) -> None:
    found = read_lineage(WANTED.name, configuration=configuration)
    assert found is not None
    assert (found.directory, found.key_type, found.domains) == (DIRECTORY, "ecdsa", frozenset(WANTED.domains))
    assert found.expires > datetime.now(UTC)


def test_a_lineage_without_its_certificate_is_none(configuration: Path) -> None:
    (configuration / "live" / WANTED.name / "cert.pem").unlink()
    assert read_lineage(WANTED.name, configuration=configuration) is None


def test_a_damaged_certificate_is_named(configuration: Path) -> None:
    (configuration / "live" / WANTED.name / "cert.pem").write_text("nothing")
    with pytest.raises(CertificateError, match=r"cert\.pem is no certificate"):
        read_lineage(WANTED.name, configuration=configuration)


def test_a_lineage_that_is_neglected_is_mended(configuration: Path) -> None:
    renewal = configuration / "renewal" / f"{WANTED.name}.conf"
    renewal.chmod(0o640)
    key = configuration / "archive" / WANTED.name / "privkey1.pem"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    assert neglect(WANTED.name, configuration=configuration) == []
    key.chmod(0o644)
    renewal.write_text(RENEWAL.replace("[renewalparams]\n", "[renewalparams]\nautorenew = False\n"))
    assert neglect(WANTED.name, configuration=configuration) == [
        f"its renewal is switched off in {renewal}",
        f"{key} is not for its owner alone",
    ]
    mend(WANTED.name, configuration=configuration)
    assert neglect(WANTED.name, configuration=configuration) == []
    assert renewal.read_text() == RENEWAL
    assert renewal.stat().st_mode & 0o777 == 0o640


def test_where_certbot_never_was_nothing_is_neglected(tmp_path: Path) -> None:
    assert neglect(WANTED.name, configuration=tmp_path / "letsencrypt") == []
    mend(WANTED.name, configuration=tmp_path / "letsencrypt")


def test_a_first_certificate_replaces_nothing() -> None:
    command = issue_command(Path("/opt/certbot"), WANTED, AUTHORITY, replace=False)
    assert "--force-renewal" not in command
    assert command[command.index("--server") + 1] == DIRECTORY
    assert command[command.index("--email") + 1] == "operations@provider.example"


def test_another_certificate_takes_the_place_of_the_old() -> None:
    command = issue_command(Path("/opt/certbot"), WANTED, AUTHORITY, replace=True)
    assert {"--force-renewal", "--renew-with-new-domains"} <= set(command)


def test_a_wildcard_is_proved_by_dns() -> None:
    authority = Authority(directory=DIRECTORY, webroot="/var/www/acme", profile="tlsserver", dns_credentials="/x.ini")
    wild = Certificate(name="example.test", domains=("example.test", "*.example.test"))
    command = issue_command(Path("/opt/certbot"), wild, authority, replace=False)
    assert "--webroot" not in command
    assert command[command.index("--dns-rfc2136-credentials") + 1] == "/x.ini"
    assert command[command.index("--preferred-profile") + 1] == "tlsserver"
    assert "--dns-rfc2136" not in issue_command(Path("/opt/certbot"), WANTED, authority, replace=False)


def test_another_profile_is_a_difference() -> None:
    assert differences(WANTED, DIRECTORY, lineage(), now=NOW, profile="shortlived") == [
        "its profile is the default, not shortlived"
    ]


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    "said", ["urn:ietf:params:acme:error:badNonce", "JWS has an invalid anti-replay nonce: eioTs2"]
)
def test_a_rejected_nonce_is_tried_again(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineages, "PAUSE_SECONDS", 0)
    count = tmp_path / "count"
    script = f"echo x >>{count}; echo {said}; test $(wc -l <{count}) -ge 3"
    issue(shell(script), environment={"PATH": "/usr/bin:/bin"})
    assert count.read_text().count("x") == 3


def test_a_refused_name_is_not_tried_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >>{count}; echo 'Saving debug log to x'; echo 'Detail: no such name'; exit 1"
    with pytest.raises(CertificateError, match=r"^certbot failed \(1\): Detail: no such name$"):
        issue(shell(script), environment={"PATH": "/usr/bin:/bin"})
    assert count.read_text().count("x") == 1
