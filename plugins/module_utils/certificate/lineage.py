# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What certbot keeps, compared with what is declared.

certbot calls a certificate with its renewals a lineage: `renewal/NAME.conf` says how it is obtained and
`live/NAME/` holds the newest version. Nothing else is remembered here.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Authority",
    "Certificate",
    "CertificateError",
    "Lineage",
    "differences",
    "is_wildcard",
    "issue",
    "issue_command",
    "lineages",
    "mend",
    "neglect",
    "parse_openssl",
    "parse_renewal",
    "read_lineage",
]

CONFIGURATION = Path("/etc/letsencrypt")
ISSUE_SECONDS = 300
QUERY_SECONDS = 30
ATTEMPTS = 4
PAUSE_SECONDS = 5
MESSAGE_LINES = 12
# As certbot reads it.
SWITCHED_OFF = re.compile(r"^autorenew *= *(?:false|no|off|0) *\n", re.MULTILINE | re.IGNORECASE)
# Worth another try at once: the directory wants a fresh nonce, or the timer's certbot is at work just now.
TRANSIENT = ("badNonce", "invalid anti-replay nonce", "Another instance of Certbot is already running")


class CertificateError(Exception):
    """A certificate could not be read or issued; the message says why and what to change."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A declared certificate. The first of its domains is the one nginx is asked for."""

    name: str
    domains: tuple[str, ...]
    key_type: str = "ecdsa"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Where certificates come from, and how the control of a domain is shown to it.

    A certificate with a wildcard is proved by DNS, with the credentials of a name server that takes updates.
    """

    directory: str
    webroot: str
    email: str = ""
    profile: str = ""
    dns_credentials: str = ""
    dns_propagation: int = 60


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What certbot has under one name."""

    directory: str
    key_type: str
    domains: frozenset[str]
    expires: datetime
    profile: str = ""


def read_lineage(name: str, *, configuration: Path = CONFIGURATION) -> Lineage | None:
    """What certbot has under this name; None when it has nothing complete."""
    renewal = configuration / "renewal" / f"{name}.conf"
    leaf = configuration / "live" / name / "cert.pem"
    if not renewal.is_file() or not leaf.is_file():
        return None
    settings = parse_renewal(renewal.read_text(encoding="utf-8"))
    domains, expires = parse_openssl(_describe(leaf))
    return Lineage(
        directory=settings.get("server", ""),
        key_type=settings.get("key_type", "rsa"),
        domains=domains,
        expires=expires,
        profile=settings.get("preferred_profile", ""),
    )


def lineages(*, configuration: Path = CONFIGURATION) -> list[str]:
    """The names of all that certbot has."""
    return sorted(path.stem for path in (configuration / "renewal").glob("*.conf"))


def neglect(name: str, *, configuration: Path = CONFIGURATION) -> list[str]:
    """What is wrong with a lineage whose certificate will do: it would not be renewed, or its keys are not secret."""
    renewal = configuration / "renewal" / f"{name}.conf"
    is_off = renewal.is_file() and SWITCHED_OFF.search(renewal.read_text(encoding="utf-8"))
    found = [f"its renewal is switched off in {renewal}"] if is_off else []
    return found + [f"{key} is not for its owner alone" for key in _open_keys(name, configuration)]


def mend(name: str, *, configuration: Path = CONFIGURATION) -> None:
    """Have a lineage renewed again, and its keys secret."""
    renewal = configuration / "renewal" / f"{name}.conf"
    if renewal.is_file():
        text = renewal.read_text(encoding="utf-8")
        if SWITCHED_OFF.search(text):
            written = renewal.with_suffix(".new")
            written.write_text(SWITCHED_OFF.sub("", text), encoding="utf-8")
            written.chmod(renewal.stat().st_mode & 0o7777)
            written.replace(renewal)
    for key in _open_keys(name, configuration):
        os.chown(key, configuration.stat().st_uid, -1)
        key.chmod(0o600)


def _open_keys(name: str, configuration: Path) -> list[Path]:
    """Private keys that others may read, or that belong to another account than what certbot keeps."""
    found = {key: key.stat() for key in sorted((configuration / "archive" / name).glob("privkey*.pem"))}
    owner = configuration.stat().st_uid if found else 0
    return [key for key, state in found.items() if state.st_mode & 0o077 or state.st_uid != owner]


def parse_renewal(text: str) -> dict[str, str]:
    """The settings of a renewal file, its sections flattened."""
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))


def parse_openssl(text: str) -> tuple[frozenset[str], datetime]:
    """Names and expiry from what `openssl x509 -enddate -ext subjectAltName` prints.

    Raises CertificateError when there is no expiry in it.
    """
    expiry = re.search(r"^notAfter=(.+)$", text, re.MULTILINE)
    if expiry is None:
        raise CertificateError(f"openssl names no expiry: {text.strip()[:200]}")
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(expiry.group(1).strip()), tz=UTC)
    return frozenset(re.findall(r"(?:DNS|IP Address):([^\s,]+)", text)), expires


def is_wildcard(wanted: Certificate) -> bool:
    """Whether one of its names stands for many."""
    return any(domain.startswith("*.") for domain in wanted.domains)


def differences(
    wanted: Certificate, directory: str, lineage: Lineage | None, *, now: datetime, profile: str = ""
) -> list[str]:
    """Why the declared certificate has to be issued; empty when what certbot has will do.

    Coming renewals are no difference: they are the timer's work.
    """
    if lineage is None:
        return ["there is none"]
    found = []
    if lineage.directory != directory:
        found.append(f"it comes from {lineage.directory}, not from {directory}")
    if lineage.domains != set(wanted.domains):
        found.append(f"it is for {', '.join(sorted(lineage.domains))}, not for {', '.join(sorted(wanted.domains))}")
    if lineage.key_type != wanted.key_type:
        found.append(f"its key is {lineage.key_type}, not {wanted.key_type}")
    if lineage.profile != profile:
        found.append(f"its profile is {lineage.profile or 'the default'}, not {profile or 'the default'}")
    if lineage.expires <= now:
        found.append(f"it expired on {lineage.expires:%Y-%m-%d %H:%M} UTC")
    return found


def issue_command(certbot: Path, wanted: Certificate, authority: Authority, *, replace: bool) -> list[str]:
    """The certbot command that obtains the certificate; with `replace` in the place of what it has."""
    account = ["--email", authority.email] if authority.email else ["--register-unsafely-without-email"]
    # A lineage may change its directory, from production to staging too, because that is what is declared.
    replacing = ["--force-renewal", "--renew-with-new-domains", "--break-my-certs"] if replace else []
    return [
        str(certbot),
        "certonly",
        "--non-interactive",
        "--agree-tos",
        *account,
        "--server",
        authority.directory,
        *_proof(wanted, authority),
        *(["--preferred-profile", authority.profile] if authority.profile else []),
        "--cert-name",
        wanted.name,
        "--domains",
        ",".join(wanted.domains),
        "--key-type",
        wanted.key_type,
        *replacing,
    ]


def _proof(wanted: Certificate, authority: Authority) -> list[str]:
    """How the control of the names is shown."""
    if not is_wildcard(wanted):
        return ["--webroot", "--webroot-path", authority.webroot]
    return [
        "--dns-rfc2136",
        "--dns-rfc2136-credentials",
        authority.dns_credentials,
        "--dns-rfc2136-propagation-seconds",
        str(authority.dns_propagation),
    ]


def issue(command: Sequence[str], *, environment: Mapping[str, str]) -> None:
    """Run certbot, again when what stopped it passes by itself.

    Raises CertificateError with certbot's own words.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            done = subprocess.run(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=ISSUE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CertificateError(f"certbot did not run to its end: {error}") from error
        if done.returncode == 0:
            return
        if attempt == ATTEMPTS or not any(known in done.stdout for known in TRANSIENT):
            raise CertificateError(f"certbot failed ({done.returncode}): {_last_words(done.stdout)}")
        time.sleep(PAUSE_SECONDS)


def _describe(leaf: Path) -> str:
    command = ["openssl", "x509", "-in", str(leaf), "-noout", "-enddate", "-ext", "subjectAltName"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=QUERY_SECONDS)
    except subprocess.CalledProcessError as error:
        raise CertificateError(f"{leaf} is no certificate: {error.stderr.strip()[:200]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"{leaf} cannot be read: {error}") from error
    return done.stdout


def _last_words(output: str) -> str:
    """The end of certbot's output, without its rules and the advice that no operator here can follow."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" -\n")]
    told = [line for line in lines if not line.startswith(("Ask for help", "See the logfile", "Saving debug log"))]
    return " / ".join(told[-MESSAGE_LINES:]) or "no output"
