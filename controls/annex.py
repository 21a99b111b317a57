"""The annex a customer signs: every promise as a sentence about this environment, with the date of its last proof."""

from __future__ import annotations

__all__ = ["render"]

import base64
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from .catalogue import Control, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Environment

TEMPLATES = Path(__file__).parent / "templates"
LETS_ENCRYPT = "acme-v02.api.letsencrypt.org"
DECLARED = (
    "provider_name",
    "provider_contact",
    "provider_privacy_url",
    "art32_region",
    "network_management",
    "audit_bcrypt_cost",
    "nginx_log_retention_days",
    "backup_retention_days",
)


def render(environment: Environment, proofs: Mapping[str, str], time: datetime) -> str:
    """The annex in Markdown. `proofs` has the time of the last proof of each control that was ever proved."""
    templates = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True
    )
    facts = describe(environment)
    rows = [
        {
            "control": control,
            "sentence": " ".join(templates.from_string(control.annex).render(facts).split()),
            "proof": _proof(control, proofs.get(control.id), time),
        }
        for control in load().values()
    ]
    return templates.get_template("annex.md.j2").render(facts, environment=environment.name, time=time, rows=rows)


def describe(environment: Environment) -> dict[str, Any]:
    """What the sentences are filled from."""
    services = environment.services
    rules = [rule for host in environment.managed for rule in environment.exposure(host)]
    declared = {name: environment.get(name) for name in DECLARED}
    return {
        **{name: value for name, value in declared.items() if value not in (None, "")},
        "public_ports": sorted({rule["port"] for rule in rules if "0.0.0.0/0" in rule["sources"]}),
        "access_ca_fingerprint": fingerprint(str(environment.get("access_ca_public", ""))),
        "certificate_authority": _authority(str(environment.get("certbot_directory_url", ""))),
        "services": services,
        "databases": sorted({entry["database"] for entry in services if entry["database"]}),
        "domains": [entry["domain"] for entry in services],
        "admin_paths": sorted({path for entry in services for path in entry["admin_paths"]}),
        **{f"people_{layer}": environment.people(layer) for layer in ("ssh", "database", "platform")},
    }


def fingerprint(line: str) -> str:
    """The fingerprint of a public key line, as ssh-keygen -l writes it; empty when there is no key."""
    words = line.split()
    if len(words) < 2:
        return ""
    digest = sha256(base64.b64decode(words[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _authority(url: str) -> str:
    return "Let's Encrypt" if LETS_ENCRYPT in url else f"the certificate authority at {url or '(not declared)'}"


def _proof(control: Control, last: str | None, time: datetime) -> str:
    if last is None:
        return "not proved yet"
    age = time - datetime.fromisoformat(last)
    stale = age > control.fresh + timedelta(seconds=1)
    return f"{last}{' (older than it may be)' if stale else ''}"
