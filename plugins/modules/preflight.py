#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Refuse an environment that cannot be applied
description:
  - Checks the variables of every managed host of the play against the roles' argument specs and limits, the three
    declarations, and the declarations against one another.
  - Variables that begin like a role's own but are none are refused with the nearest known name.
  - All problems are told at once, each with the variable, its value and what is allowed. Secrets are not shown.
  - Runs on the controller, once for all hosts of the play; no host is touched.
options:
  role:
    description: The role that is about to run. Only what the environment declares is checked.
    type: str
  roles:
    description: All roles of the site. What they need and the environment lacks is refused too.
    type: list
    elements: str
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Changes nothing.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Check what the operator declared
  art32.server.preflight:
    role: sshd

- name: Check the whole environment
  art32.server.preflight:
    roles: [base, firewall, sshd]
"""

RETURN = r"""
"""
