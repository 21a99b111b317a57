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
  - Before it issues, it looks at what would make the directory refuse, and fails with what to do about it. Names lead
    to this host in both families, port 80 arrives here, no CAA record forbids it, the directory offers the profile, and
    the host's own log of what was issued stays under Let's Encrypt's published limits.
  - Renewal before the end of a lifetime is the work of certbot's timer. Where somebody switched it off, it is on again;
    private keys that others may read are root's alone again.
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
  profile:
    description:
      - The directory's profile for certificates, such as C(tlsserver) or C(shortlived); empty for its default. Refused
        when the directory does not offer it. A certificate of another profile is replaced.
    type: str
    default: ""
  dns_credentials:
    description:
      - Credentials of a name server that takes updates (RFC 2136), as certbot's plugin C(dns-rfc2136) reads them.
        Certificates with a wildcard need it; they are proved by DNS, all others over port 80.
    type: path
    default: ""
  dns_propagation:
    description: Seconds to wait until all name servers of a domain have an update.
    type: int
    default: 60
  addresses:
    description:
      - The host's own addresses. When given, a certificate's names have to lead to them before it is issued, so that
        no try is used up at the directory.
    type: list
    elements: str
    default: []
  check_arrival:
    description: Whether port 80 of every name has to answer as this host before a certificate is issued.
    type: bool
    default: true
  undeclared:
    description: What happens to certificates that certbot has and the task does not declare.
    type: str
    choices: [report, remove]
    default: report
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
      mended: []
      deployed: true
      expires: "2026-08-01T10:00:00+00:00"
removed:
  description: Certificates that were, or would be, removed because nobody declares them.
  type: list
  elements: str
  returned: success
virtualenv:
  description: Where certbot's environment is; empty when O(requirements) is not given.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.certificate import CertificateError
from ansible_collections.art32.server.plugins.module_utils.certificate.task import (
    ARGUMENTS,
    answer,
    carry_out,
    ensure_certbot,
    plan,
    remove,
    undeclared,
    warnings,
)
from ansible_collections.art32.server.plugins.module_utils.virtualenv import VirtualenvError


def main() -> None:
    """Read the options, do what differs, answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    try:
        outcome = ensure_certbot(options, check=module.check_mode)
        plans = plan(options)
        for one in plans:
            if one.changed and not module.check_mode:
                carry_out(one, options)
        left = undeclared(options)
        removed = left if options["undeclared"] == "remove" else []
        for name in removed:
            if not module.check_mode:
                remove(name, options)
        environment = str(outcome.directory) if outcome else ""
        result = answer(plans, environment, outcome is not None and outcome.changed, removed)
    except (CertificateError, VirtualenvError) as error:
        module.fail_json(msg=str(error))
    for warning in warnings([name for name in left if name not in removed]):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
