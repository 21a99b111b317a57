#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declare who may do what on the reference platform."""

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_member
short_description: Declares who may do what on the reference platform
version_added: 0.1.0
description:
  - Makes accounts, staff flags and roles in organisations of the platform what is declared, in one transaction in its
    database. Everything is read again after a change and compared with the declaration.
  - Whoever has no password gets an invitation, a link that the platform mails (C(platform-manage deliver), see
    O(deliver)). The module never sees the link. An invitation that is waiting or still works is not made anew.
  - The platform's own triggers record each change in its activity log, on behalf of V(platform_member).
  - An account is never removed. It ends, with its sessions, and its history stays.
  - Refuses a database whose schema it does not know.
requirements:
  - Debian's package C(python3-psycopg) on the host, and C(python3-bcrypt) where O(passwords) are declared
attributes:
  check_mode:
    description: Predicts every change.
    support: full
  diff_mode:
    description: Shows what is done, without passwords.
    support: full
options:
  database:
    description: The platform's database.
    type: str
    default: platform
  people:
    description: The provider's people. Those without O(people[].platform) are none of the platform's.
    type: list
    elements: dict
    default: []
    suboptions:
      email:
        description: The account's e-mail address.
        type: str
        required: true
      name:
        description: How the person is called. Without one, the name that is there stays.
        type: str
      platform:
        description: What the person is on the platform. An administrator is staff, too.
        type: str
        choices: [staff, administrator]
      until:
        description: Last day of the account, like V(2026-12-31).
        type: str
      ssh:
        description: Taken as it stands in the declaration of people. The platform has no use for it.
        type: str
      database:
        description: As for O(people[].ssh).
        type: str
  members:
    description: Roles in organisations. An organisation that does not exist is made.
    type: list
    elements: dict
    default: []
    suboptions:
      email:
        description: The account's e-mail address.
        type: str
        required: true
      name:
        description: How the person is called.
        type: str
      organisation:
        description: Name of the organisation.
        type: str
        required: true
      role:
        description: What the account may do there.
        type: str
        choices: [viewer, editor, manager]
        required: true
      until:
        description: Last day of the role. The provider's staff need one, at most 90 days ahead.
        type: str
  exact:
    description:
      - Whose accounts and roles end when nobody declares them.
      - V(staff) means the provider's staff, V(all) everybody. With V(none) what is not declared stays as it is.
    type: str
    choices: [none, staff, all]
    default: none
  passwords:
    description:
      - Passwords by e-mail address, for synthetic accounts. Compared with the stored hash, set only when they differ.
      - People choose their own by invitation.
    type: dict
    default: {}
  invite:
    description: Whether whoever has no password is invited.
    type: bool
    default: true
  deliver:
    description:
      - Command that mails waiting invitations, run after some were made, like the platform's C(deliver).
      - Without it they go out with the next run of the service's job of that name.
    type: list
    elements: str
    default: []
  socket:
    description: Directory of the server's socket.
    type: path
    default: /var/run/postgresql
  port:
    description: The server's port, part of the socket's name.
    type: int
    default: 5432
  user:
    description: The user of the operating system, and superuser of the cluster, to connect as.
    type: str
    default: postgres
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Make the platform's staff those of people.yml
  art32.server.platform_member:
    people: "{{ people }}"
    exact: staff
    deliver: [/usr/local/sbin/art32-manage, platform, deliver]

- name: Give a customer its first manager
  art32.server.platform_member:
    members:
      - {email: ada@customer.example, name: Ada, organisation: Customer GmbH, role: manager}
"""

RETURN = r"""
changes:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: success
  sample: ["make account ada@customer.example", "invite ada@customer.example"]
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.art32.server.plugins.module_utils.platform_member.database import (
    HAS_PSYCOPG,
    Target,
    reconcile,
)
from ansible_collections.art32.server.plugins.module_utils.platform_member.model import MemberError
from ansible_collections.art32.server.plugins.module_utils.platform_member.passwords import HAS_BCRYPT
from ansible_collections.art32.server.plugins.module_utils.platform_member.task import ARGUMENTS, declared


def main() -> None:
    """Answer Ansible."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if not HAS_PSYCOPG:
        module.fail_json(msg=missing_required_lib("psycopg", reason="(Debian's package python3-psycopg)"))
    if module.params["passwords"] and not HAS_BCRYPT:
        module.fail_json(msg=missing_required_lib("bcrypt", reason="(Debian's package python3-bcrypt)"))
    target = Target(**{name: module.params[name] for name in ("database", "socket", "port", "user")})
    try:
        changes = [change.text for change in reconcile(target, declared(module.params), check=module.check_mode)]
    except MemberError as error:
        module.fail_json(msg=str(error))
    if module.params["deliver"] and not module.check_mode and any(text.startswith("invite ") for text in changes):
        module.run_command(module.params["deliver"], check_rc=True)
    module.exit_json(
        changed=bool(changes), changes=changes, diff={"before": "", "after": "".join(f"{text}\n" for text in changes)}
    )


if __name__ == "__main__":
    main()
