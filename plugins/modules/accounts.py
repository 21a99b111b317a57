#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declare the people who have an account on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: accounts
short_description: Declares the people who have an account on a host
version_added: 0.1.0
description:
  - Gives every declared person an account with a locked password, a home of its own, the group C(art32-people) and,
    for administrators, C(art32-admin).
  - An account of a person that is declared no longer, and one that somebody put into these groups by hand, is locked
    and expired, moved to the group C(art32-former), and its sessions and processes are ended. It is not removed, so
    that its number and its files never become another person's.
  - Accounts that are in none of these groups are not touched.
attributes:
  check_mode:
    description: Predicts every step.
    support: full
  diff_mode:
    description: Shows the people's accounts before and after.
    support: full
options:
  people:
    description: Everybody who is to have an account, as the filter P(art32.server.people_with#filter) gives them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The account's name.
        type: str
        required: true
      email:
        description: How to reach the person; the account's comment.
        type: str
        default: ""
      ssh:
        description: Whether the person administers the host.
        type: str
        choices: [admin, user]
        default: user
  shell:
    description: The people's shell.
    type: path
    default: /bin/bash
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Let exactly the declared people have accounts
  art32.server.accounts:
    people: "{{ people | art32.server.people_with('ssh') }}"
"""

RETURN = r"""
steps:
  description: What was done, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [lock account joe, end the sessions and processes of joe]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.accounts import AccountsError, apply, describe, predict
from ansible_collections.art32.server.plugins.module_utils.accounts.task import ARGUMENTS, compare


def main() -> None:
    """Read the options, plan, carry out, answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        found = compare(module.params)
        if not module.check_mode:
            apply(found.steps)
    except AccountsError as error:
        module.fail_json(msg=str(error))
    names = [person.name for person in found.people]
    after = predict(found.people, found.before, shell=module.params["shell"])
    module.exit_json(
        changed=bool(found.steps),
        steps=[step.says for step in found.steps],
        diff={"before": describe(found.before, names), "after": describe(after, names)},
    )


if __name__ == "__main__":
    main()
