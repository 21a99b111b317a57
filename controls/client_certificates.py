"""Certificates with which the audit and a run log in to the database as a person who needs one: good for an hour."""

from __future__ import annotations

__all__ = ["certified", "issue", "options_for"]

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .evidence import NotAssessedError

if TYPE_CHECKING:
    from pathlib import Path

    from .environment import Environment

AUTHORITY, PRIVATE_KEY = "postgresql_client_ca", "postgresql_client_ca_private_key"
VALIDITY = timedelta(hours=1)
BACKDATE = timedelta(minutes=5)


def certified(environment: Environment) -> set[str]:
    """The people whom the database lets in with a certificate only."""
    return {str(person["name"]) for person in environment.get("people", []) if person.get("database_certificate")}


def options_for(environment: Environment, name: str, scratch: Path) -> dict[str, str]:
    """What a login as this person needs beside the password, in libpq's words; nothing for most.

    Raises NotAssessedError when the person needs a certificate and the environment cannot make one.
    """
    if name not in certified(environment):
        return {}
    authority, key = (str(environment.get(variable, "")) for variable in (AUTHORITY, PRIVATE_KEY))
    if not key:
        raise NotAssessedError(f"{name} needs a certificate, and {PRIVATE_KEY} is not declared")
    return issue(scratch, name=name, authority=authority, private_key=key)


def issue(scratch: Path, *, name: str, authority: str, private_key: str) -> dict[str, str]:
    """A key and a certificate for a role's name in a directory, in libpq's words.

    Raises NotAssessedError when the authority or its key cannot be read, or is of a kind that this does not use.
    """
    try:
        issuer = x509.load_pem_x509_certificate(authority.encode())
        signer = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (TypeError, ValueError) as error:
        raise NotAssessedError(f"{AUTHORITY} and {PRIVATE_KEY} make no certificate: {error}") from error
    if not isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise NotAssessedError(f"{PRIVATE_KEY} is neither RSA nor on an elliptic curve like prime256v1")
    own, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    paths = {"sslcert": scratch / f"{name}.crt", "sslkey": scratch / f"{name}.key"}
    paths["sslcert"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths["sslkey"].touch(mode=0o600)
    paths["sslkey"].write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {option: str(path) for option, path in paths.items()}
