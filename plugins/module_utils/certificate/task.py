# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module certificate is asked for, how that compares with the host, and how it is carried out."""

from __future__ import annotations

__all__ = [
    "ARGUMENTS",
    "Plan",
    "answer",
    "carry_out",
    "ensure_certbot",
    "look",
    "plan",
    "remove",
    "undeclared",
    "warnings",
]

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.look import Look
from ansible_collections.art32.server.plugins.module_utils.virtualenv import Specification, ensure

from .limits import write_log
from .lineage import (
    Authority,
    Certificate,
    CertificateError,
    differences,
    issue,
    issue_command,
    lineages,
    mend,
    neglect,
    read_lineage,
)
from .preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.art32.server.plugins.module_utils.virtualenv import Outcome

    from .lineage import Lineage

DEPLOY_SECONDS = 120
ARGUMENTS: dict[str, Any] = {
    "certificates": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str"},
            "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa"},
        },
    },
    "directory": {"type": "str", "required": True},
    "email": {"type": "str", "default": ""},
    "webroot": {"type": "path", "default": "/var/www/acme"},
    "ca_bundle": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
    "virtualenv": {"type": "path", "default": "/opt/art32/certbot"},
    "requirements": {"type": "str"},
    "profile": {"type": "str", "default": ""},
    "dns_credentials": {"type": "path", "default": ""},
    "dns_propagation": {"type": "int", "default": 60},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "check_arrival": {"type": "bool", "default": True},
    "undeclared": {"type": "str", "choices": ["report", "remove"], "default": "report"},
    "deploy": {"type": "path", "default": "/usr/local/lib/art32/deploy-certificate"},
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one certificate needs: the reasons to issue it, what else is to be mended, and whether nginx is given it."""

    wanted: Certificate
    issue: list[str]
    mend: list[str]
    replace: bool
    deploy: bool

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.issue or self.mend) or self.deploy


def plan(options: Mapping[str, Any]) -> list[Plan]:
    """Compare what is declared with what certbot has and nginx serves."""
    wanted = [
        Certificate(name=entry["name"], domains=tuple(entry["domains"] or [entry["name"]]), key_type=entry["key_type"])
        for entry in options["certificates"]
    ]
    served = served_by_nginx(Path(options["deploy"]), [certificate.name for certificate in wanted])
    return [plan_one(certificate, options, served.get(certificate.name, False)) for certificate in wanted]


def plan_one(wanted: Certificate, options: Mapping[str, Any], served: bool) -> Plan:
    """Compare one certificate."""
    lineage = read_lineage(wanted.name)
    reasons = reasons_to_issue(wanted, lineage, options)
    return Plan(
        wanted=wanted,
        issue=reasons,
        mend=neglect(wanted.name),
        replace=lineage is not None,
        deploy=bool(reasons) or not served,
    )


def reasons_to_issue(wanted: Certificate, lineage: Lineage | None, options: Mapping[str, Any]) -> list[str]:
    """Why what certbot has is not what is declared."""
    return differences(wanted, options["directory"], lineage, now=datetime.now(UTC), profile=options["profile"])


def served_by_nginx(deploy: Path, names: list[str]) -> dict[str, bool]:
    """Which lineages nginx serves in their newest version; none before the command is installed."""
    if not names or not deploy.exists():
        return {}
    done = run([str(deploy), "--check", *names])
    return dict(json.loads(done.stdout))


def undeclared(options: Mapping[str, Any]) -> list[str]:
    """The names under which certbot has certificates that the task does not declare."""
    declared = {entry["name"] for entry in options["certificates"]}
    return [name for name in lineages() if name not in declared]


def remove(name: str, options: Mapping[str, Any]) -> None:
    """Have certbot forget a certificate, and nginx's copies of it with it."""
    run([f"{options['virtualenv']}/bin/certbot", "delete", "--non-interactive", "--cert-name", name])
    run([options["deploy"], "--forget", name])


def carry_out(one: Plan, options: Mapping[str, Any]) -> None:
    """Issue and deploy what the plan says; raise CertificateError unless both are true afterwards."""
    name = one.wanted.name
    if one.mend:
        mend(name)
    if one.issue:
        preflight(one.wanted, options)
        obtain(one, options)
        left = reasons_to_issue(one.wanted, read_lineage(name), options)
        if left:
            raise CertificateError(
                f"{name}: certbot issued, but under this name {'; '.join(left)}: see `certbot certificates`"
            )
    if one.deploy:  # certbot has run it as its hook, whose failure it does not report
        run([options["deploy"], name])


def obtain(one: Plan, options: Mapping[str, Any]) -> None:
    """Have certbot issue the certificate, and write down that it did or did not."""
    authority = Authority(
        directory=options["directory"],
        webroot=options["webroot"],
        email=options["email"],
        profile=options["profile"],
        dns_credentials=options["dns_credentials"],
        dns_propagation=options["dns_propagation"],
    )
    command = issue_command(Path(options["virtualenv"]) / "bin" / "certbot", one.wanted, authority, replace=one.replace)
    outcome = "failed"
    try:
        issue(command, environment={**os.environ, "REQUESTS_CA_BUNDLE": options["ca_bundle"], "ART32_ISSUING": "1"})
        outcome = "issued"
    finally:
        write_log(options["directory"], one.wanted.domains, outcome, now=datetime.now(UTC))


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the deploying command; raise CertificateError with its words when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEPLOY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"{command[0]} did not run to its end: {error}") from error
    if done.returncode:
        raise CertificateError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def answer(plans: list[Plan], virtualenv: str, environment_changed: bool, removed: list[str]) -> dict[str, Any]:
    """The module's result: what was true before, and what is or would be now."""
    certificates = []
    before, after = [], []
    for one in plans:
        lineage = read_lineage(one.wanted.name)
        expires = lineage.expires.isoformat() if lineage else ""
        certificates.append(
            {
                "name": one.wanted.name,
                "issued": one.issue,
                "mended": one.mend,
                "deployed": one.deploy,
                "expires": expires,
            }
        )
        before += [f"{one.wanted.name}: {reason}" for reason in (*one.issue, *one.mend)]
        before += [f"{one.wanted.name}: nginx does not serve it"] if one.deploy and not one.issue else []
        after += [f"{one.wanted.name}: issued"] if one.issue else []
        after += [f"{one.wanted.name}: mended"] if one.mend else []
        after += [f"{one.wanted.name}: nginx serves it"] if one.deploy else []
    before += [f"{name}: undeclared" for name in removed]
    if environment_changed:
        after.append(f"certbot's environment: {virtualenv}")
    return {
        "changed": environment_changed or any(one.changed for one in plans) or bool(removed),
        "certificates": certificates,
        "removed": removed,
        "virtualenv": virtualenv,
        "diff": {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)},
    }


def ensure_certbot(options: Mapping[str, Any], *, check: bool) -> Outcome | None:
    """Have certbot's own environment, or predict it; None when the task leaves it to others."""
    if options["requirements"] is None:
        return None
    spec = Specification(requirements=options["requirements"])
    return ensure(Path(options["virtualenv"]), spec, check_mode=check)


def look(options: Mapping[str, Any]) -> Look:
    """Say what differs."""
    outcome = ensure_certbot(options, check=True)
    found = [f"certbot's environment {outcome.directory}"] if outcome and outcome.changed else []
    for one in plan(options):
        found += [f"{one.wanted.name}: {reason}" for reason in (*one.issue, *one.mend)]
        found += [f"{one.wanted.name}: nginx does not serve it"] if one.deploy and not one.issue else []
    left = undeclared(options)
    if options["undeclared"] == "remove":
        found += [f"{name}: is not declared" for name in left]
    return Look(differences=tuple(found), warnings=warnings(left))


def warnings(left: list[str]) -> tuple[str, ...]:
    """What the operator should hear of besides."""
    return tuple(f"certbot has a certificate that nobody declares: {name}" for name in left)
