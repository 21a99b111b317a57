# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that can be found out before a try is used up at the directory."""

from __future__ import annotations

__all__ = ["Directory", "fetch_directory", "preflight"]

import json
import ssl
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .caa import caa_problems
from .limits import limit_problems, read_log
from .lineage import CertificateError, is_wildcard
from .names import arrival_problems, name_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .lineage import Certificate

DIRECTORY_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Directory:
    """What an ACME directory says of itself: its names in CAA records, and the profiles it offers."""

    identities: tuple[str, ...]
    profiles: tuple[str, ...]


def preflight(wanted: Certificate, options: Mapping[str, Any]) -> None:
    """Look at all that would make the directory refuse.

    Raises CertificateError with everything found, each with what to do about it.
    """
    directory = fetch_directory(options["directory"], options["ca_bundle"])
    problems = profile_problems(directory, options)
    by_dns = is_wildcard(wanted)
    if by_dns and not options["dns_credentials"]:
        problems.append(
            f"{wanted.name} has a wildcard, which is proved by DNS alone: set certbot_dns_server and its key"
        )
    if not by_dns:
        found = name_problems(wanted.domains, options["addresses"])
        # A name that leads elsewhere is answered there.
        if options["check_arrival"] and not found:
            found = arrival_problems(wanted.domains, Path(options["webroot"]))
        problems += found
    python = Path(options["virtualenv"]) / "bin" / "python"
    problems += caa_problems(python, wanted.domains, directory.identities, "dns-01" if by_dns else "http-01")
    problems += limit_problems(read_log(), options["directory"], wanted.domains, now=datetime.now(UTC))
    if problems:
        raise CertificateError("; ".join(problems))


def profile_problems(directory: Directory, options: Mapping[str, Any]) -> list[str]:
    """A profile that is not offered."""
    profile = options["profile"]
    if not profile or profile in directory.profiles:
        return []
    offered = ", ".join(directory.profiles) or "none"
    return [f"{options['directory']} has no profile {profile} (certbot_profile); it offers {offered}"]


def fetch_directory(url: str, ca_bundle: str) -> Directory:
    """Ask the directory.

    Raises CertificateError when it does not answer as one.
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    try:
        with urllib.request.urlopen(url, timeout=DIRECTORY_SECONDS, context=context) as reply:  # noqa: S310 - as declared
            meta = json.load(reply).get("meta", {})
    except (OSError, ValueError, AttributeError) as error:
        raise CertificateError(
            f"{url} does not answer as an ACME directory ({error}): see certbot_directory_url, certbot_ca_bundle"
            " and whether the host may connect there"
        ) from error
    return Directory(identities=tuple(meta.get("caaIdentities", [])), profiles=tuple(sorted(meta.get("profiles", {}))))
