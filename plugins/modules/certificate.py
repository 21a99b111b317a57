#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declare certificates that certbot obtains and nginx serves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: Declares certificates that certbot obtains and nginx serves
version_added: 0.1.0
description:
  - Issues each certificate that certbot does not have, or has for other names, from another ACME directory, with
    another type of key, or expired; and has it deployed unless nginx serves exactly it. Asks certbot's files and the
    running nginx, and remembers nothing.
  - Renewal before the end of a lifetime is the work of certbot's timer.
  - Staging and production never mix. A certificate from another directory than the declared one is replaced.
attributes:
  check_mode:
    description: Predicts which certificates would be issued and deployed.
    support: full
  diff_mode:
    description: Shows what would be issued or deployed and why.
    support: full
options:
  certificates:
    description: The declared certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of certbot's lineage and of nginx's directory for it.
        type: str
        required: true
      domains:
        description: The names it is for. The certificate's O(certificates[].name) when omitted.
        type: list
        elements: str
      key_type:
        description: Type of the key.
        type: str
        choices: [ecdsa, rsa]
        default: ecdsa
  directory:
    description: URL of the ACME directory.
    type: str
    required: true
  email:
    description: Address of the account at the directory; without it the account has none.
    type: str
    default: ""
  webroot:
    description: Where answers to challenges are laid for the web server.
    type: path
    default: /var/www/acme
  ca_bundle:
    description: Authorities by which the directory's own certificate is judged.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  virtualenv:
    description: The virtual environment that has certbot.
    type: path
    default: /opt/art32/certbot
  requirements:
    description:
      - Hashed requirements of O(virtualenv). When given, the environment is made or renewed first, as
        M(art32.server.virtualenv) does.
    type: str
  deploy:
    description: The command that hands certificates to nginx; the role certbot installs it.
    type: path
    default: /usr/local/lib/art32/deploy-certificate
seealso:
  - module: art32.server.virtualenv
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Have a certificate from Let's Encrypt
  art32.server.certificate:
    directory: https://acme-v02.api.letsencrypt.org/directory
    email: operations@provider.example
    certificates:
      - name: platform.example.test
"""

RETURN = r"""
certificates:
  description: Each declared certificate and what was, or would be, done about it.
  type: list
  elements: dict
  returned: success
  sample:
    - name: platform.example.test
      issued: ["it is for a.example.test, not for platform.example.test"]
      deployed: true
      expires: "2026-08-01T10:00:00+00:00"
virtualenv:
  description: Where certbot's environment is; empty when O(requirements) is not given.
  type: str
  returned: success
"""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.certificate import (
    Authority,
    Certificate,
    CertificateError,
    differences,
    issue,
    issue_command,
    read_lineage,
)
from ansible_collections.art32.server.plugins.module_utils.virtualenv import (
    Specification,
    VirtualenvError,
    ensure,
)

DEPLOY_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one certificate needs: the reasons to issue it, and whether nginx has to be given it."""

    wanted: Certificate
    issue: list[str]
    replace: bool
    deploy: bool

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.issue) or self.deploy


def plan(options: dict[str, Any]) -> list[Plan]:
    """Compare what is declared with what certbot has and nginx serves."""
    wanted = [
        Certificate(name=entry["name"], domains=tuple(entry["domains"] or [entry["name"]]), key_type=entry["key_type"])
        for entry in options["certificates"]
    ]
    served = served_by_nginx(Path(options["deploy"]), [certificate.name for certificate in wanted])
    return [plan_one(certificate, options["directory"], served.get(certificate.name, False)) for certificate in wanted]


def plan_one(wanted: Certificate, directory: str, served: bool) -> Plan:
    """Compare one certificate."""
    lineage = read_lineage(wanted.name)
    reasons = differences(wanted, directory, lineage, now=datetime.now(UTC))
    return Plan(wanted=wanted, issue=reasons, replace=lineage is not None, deploy=bool(reasons) or not served)


def served_by_nginx(deploy: Path, names: list[str]) -> dict[str, bool]:
    """Which lineages nginx serves in their newest version; none before the command is installed."""
    if not names or not deploy.exists():
        return {}
    done = run([str(deploy), "--check", *names])
    return dict(json.loads(done.stdout))


def carry_out(one: Plan, options: dict[str, Any]) -> None:
    """Issue and deploy what the plan says; raise CertificateError unless both are true afterwards."""
    name = one.wanted.name
    if one.issue:
        authority = Authority(directory=options["directory"], webroot=options["webroot"], email=options["email"])
        certbot = Path(options["virtualenv"]) / "bin" / "certbot"
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": options["ca_bundle"]}
        issue(issue_command(certbot, one.wanted, authority, replace=one.replace), environment=environment)
        left = differences(one.wanted, options["directory"], read_lineage(name), now=datetime.now(UTC))
        if left:
            raise CertificateError(
                f"{name}: certbot issued, but under this name {'; '.join(left)}: see `certbot certificates`"
            )
    # certbot has run it as its hook, whose failure it does not report.
    run([options["deploy"], name])


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the deploying command; raise CertificateError with its words when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEPLOY_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CertificateError(f"{command[0]} did not run to its end: {error}") from error
    if done.returncode:
        raise CertificateError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def answer(plans: list[Plan], virtualenv: str, environment_changed: bool) -> dict[str, Any]:
    """The module's result: what was true before, and what is or would be now."""
    certificates = []
    before, after = [], []
    for one in plans:
        lineage = read_lineage(one.wanted.name)
        expires = lineage.expires.isoformat() if lineage else ""
        certificates.append({"name": one.wanted.name, "issued": one.issue, "deployed": one.deploy, "expires": expires})
        before += [f"{one.wanted.name}: {reason}" for reason in one.issue]
        before += [f"{one.wanted.name}: nginx does not serve it"] if one.deploy and not one.issue else []
        after += [f"{one.wanted.name}: issued"] if one.issue else []
        after += [f"{one.wanted.name}: nginx serves it"] if one.deploy else []
    if environment_changed:
        after.append(f"certbot's environment: {virtualenv}")
    return {
        "changed": environment_changed or any(one.changed for one in plans),
        "certificates": certificates,
        "virtualenv": virtualenv,
        "diff": {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)},
    }


def main() -> None:
    """Read the options, do what differs, answer."""
    module = AnsibleModule(
        argument_spec={
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
            "deploy": {"type": "path", "default": "/usr/local/lib/art32/deploy-certificate"},
        },
        supports_check_mode=True,
    )
    options = module.params
    directory, environment_changed = "", False
    try:
        if options["requirements"] is not None:
            spec = Specification(requirements=options["requirements"])
            outcome = ensure(Path(options["virtualenv"]), spec, check_mode=module.check_mode)
            directory, environment_changed = str(outcome.directory), outcome.changed
        plans = plan(options)
        for one in plans:
            if one.changed and not module.check_mode:
                carry_out(one, options)
        result = answer(plans, directory, environment_changed)
    except (CertificateError, VirtualenvError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
