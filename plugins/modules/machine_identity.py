#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give a host's system account a key of its own, certified by the environment's authority."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_identity
short_description: Certifies the key with which a host's system account logs in elsewhere
version_added: 0.1.0
description:
  - The account O(account) gets an ed25519 key in C(/etc/art32/identities), which never leaves the host, and the
    environment's certificate authority (C(access_ca)) signs a certificate for it on the controller.
  - Nothing on the host is touched while its certificate, as read at login, is the one that is wanted and has more than
    a third of its time left.
  - The certificate is returned, not installed. It belongs into the transaction that needs it, in the file that
    RV(certificate_path) names.
attributes:
  check_mode:
    description: Predicts whether a certificate would be made.
    support: full
  diff_mode:
    description: There is nothing that the transaction's own difference would not show.
    support: none
options:
  name:
    description: Name of the key.
    type: str
    required: true
  account:
    description: The system account that uses it. It is made when it is missing.
    type: str
    required: true
  home:
    description: Home of an account that is made.
    type: path
    default: /nonexistent
  principals:
    description: The principals that the certificate is valid for.
    type: list
    elements: str
    required: true
  force_command:
    description: The only command that may be run with it.
    type: str
    required: true
  addresses:
    description: The addresses from which it may be used.
    type: list
    elements: str
    required: true
  validity_days:
    description: Days that a new certificate is good for.
    type: int
    default: 365
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Certify the key that backups log in with
  art32.server.machine_identity:
    name: pgbackrest
    account: pgbackrest
    home: /var/lib/pgbackrest
    principals: [pgbackrest-repository]
    force_command: /usr/local/lib/art32/pgbackrest-remote pg server
    addresses: ["203.0.113.11"]
  register: identity
"""

RETURN = r"""
certificate:
  description: The certificate's line; empty in check mode when the key is not there yet.
  type: str
  returned: success
certificate_path:
  description: Where it has to be on the host.
  type: str
  returned: success
  sample: /etc/art32/identities/pgbackrest-cert.pub
key_path:
  description: Where the private key is on the host.
  type: str
  returned: success
  sample: /etc/art32/identities/pgbackrest
"""

import grp
import os
import pwd
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

# The name by which ansible_facts and playbooks/login.yml know it too.
DIRECTORY = Path("/etc/art32/identities")


def ensure_account(module: AnsibleModule, name: str, home: str) -> bool:
    """Make a system account that nobody can log in to with a password; whether it was missing."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        # A shell is what sshd runs the certificate's command with.
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh"]
        if not module.check_mode:
            module.run_command(["useradd", *options, "--password", "*", name], check_rc=True)
        return True
    return False


def ensure_key(module: AnsibleModule, key: Path, account: str) -> bool:
    """Make the key, readable for its account only; whether it was missing."""
    if key.exists() and key.with_name(f"{key.name}.pub").exists():
        return False
    if not module.check_mode:
        key.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=key.parent) as scratch:
            made = Path(scratch) / key.name
            comment = f"{account}@{os.uname().nodename}"
            arguments = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(made)]
            module.run_command(["ssh-keygen", *arguments], check_rc=True)
            # Owned by root: the account uses its key and cannot exchange it.
            os.chown(made, 0, grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_gid)
            made.chmod(0o640)
            made.replace(key)
            made.with_name(f"{key.name}.pub").replace(key.with_name(f"{key.name}.pub"))
    return True


def read(path: Path) -> str:
    """A file's only line; empty when there is no such file."""
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def main() -> None:
    """Answer Ansible; the action plugin of the same name does the rest on the controller."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "account": {"type": "str", "required": True},
            "home": {"type": "path", "default": "/nonexistent"},
        },
        supports_check_mode=True,
    )
    key = DIRECTORY / module.params["name"]
    try:
        made = ensure_account(module, module.params["account"], module.params["home"])
        made = ensure_key(module, key, module.params["account"]) or made
        public, certificate = (read(key.with_name(f"{key.name}{suffix}")) for suffix in (".pub", "-cert.pub"))
    except OSError as error:
        module.fail_json(msg=f"The key {key} cannot be made: {error}")
    module.exit_json(changed=made, public=public, certificate=certificate)


if __name__ == "__main__":
    main()
