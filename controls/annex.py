"""The annex a customer signs: every promise as a sentence about this environment, with the date of its last proof."""

from __future__ import annotations

__all__ = ["Annex", "describe", "fingerprint", "html", "markdown", "state"]

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from .catalogue import Control, load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    "base_mail_plain",
    "nginx_log_retention_days",
    "backup_retention_days",
    "backup_repository",
)


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One promise as a sentence about this environment, with the time of its last proof."""

    control: Control
    text: str
    proof: str
    fresh: bool


@dataclass(frozen=True, kw_only=True)
class Annex:
    """All that the annex says."""

    environment: str
    time: datetime
    facts: Mapping[str, Any]
    sentences: Sequence[Sentence]
    signer: str


def state(environment: Environment, proofs: Mapping[str, str], time: datetime, signer: str = "") -> Annex:
    """The annex's sentences. `proofs` has the time of the last proof of each control that was ever proved."""
    facts = describe(environment)
    plain = jinja2.Environment()  # noqa: S701 - sentences, which each form escapes by itself
    sentences = []
    for control in load().values():
        text = " ".join(plain.from_string(control.annex).render(facts).split())
        proof, fresh = _proof(control, proofs.get(control.id), time)
        sentences.append(Sentence(control=control, text=text, proof=proof, fresh=fresh))
    return Annex(environment=environment.name, time=time, facts=facts, sentences=sentences, signer=signer)


def markdown(annex: Annex) -> str:
    """The annex to put into a contract."""
    return _templates(escape=False).get_template("annex.md.j2").render(annex.facts, annex=annex)


def html(annex: Annex) -> str:
    """The annex as a page to read and to print."""
    return _templates(escape=True).get_template("annex.html.j2").render(annex.facts, annex=annex)


def _templates(*, escape: bool) -> jinja2.Environment:
    """The forms of the annex; Markdown is escaped by itself, a page by Jinja2."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=escape, trim_blocks=True, lstrip_blocks=True)  # noqa: S701


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
        "subprocessors": environment.get("provider_subprocessors", []) or [],
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


def _proof(control: Control, last: str | None, time: datetime) -> tuple[str, bool]:
    """When a control was last proved, for a reader, and whether that is still good."""
    if last is None:
        return "not proved yet", False
    age = time - datetime.fromisoformat(last)
    is_fresh = age <= control.fresh + timedelta(seconds=1)
    return f"{last}{'' if is_fresh else ' (older than it may be)'}", is_fresh
