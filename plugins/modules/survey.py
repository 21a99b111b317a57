#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look once at everything that the roles declare."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survey
short_description: Look once at everything that the roles declare
version_added: 0.1.0
description:
  - While the variable C(__survey) is true, the tasks of this collection's roles only note on the controller what they
    ask for. This module takes all of it to the host in one execution and says whether anything differs.
  - It compares with the very code that the tasks themselves use. It stops at the first difference, and whatever it
    cannot look at counts as one, so that the roles are run then.
  - It changes nothing.
options:
  requests:
    description: Set by the controller. What was noted for the host.
    type: str
attributes:
  check_mode:
    support: full
    description: A look is the same in check mode.
  diff_mode:
    support: none
    description: The roles' own tasks show the difference.
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Look once at everything
  art32.server.survey:
  register: __look
"""

RETURN = r"""
settled:
  description: Whether everything is as declared.
  type: bool
  returned: always
differences:
  description: What the first look that found something found.
  type: list
  elements: str
  returned: always
  sample: ["sshd: Change the content of /etc/ssh/sshd_config"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.survey import survey


def main() -> None:
    """Look, and tell."""
    module = AnsibleModule(argument_spec={"requests": {"type": "str", "no_log": True}}, supports_check_mode=True)
    found = survey(module.params["requests"], check=module.check_mode)
    for warning in found.warnings:
        module.warn(warning)
    module.exit_json(
        changed=False,
        settled=not found.differences,
        differences=list(found.differences),
        invocation={},
    )


if __name__ == "__main__":
    main()
