#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret
short_description: Replace a secret of an environment
description:
  - Puts a new secret into the vault and keeps the former one there, as C(vault_former), until it is settled. A
    secret that waits to be settled is not replaced again, so a rotation that stopped half-way goes on.
  - The vault's own password is replaced with all that it encrypts.
  - Runs on the controller; no host is touched.
options:
  environment:
    description: The environment's directory.
    type: path
    required: true
  name:
    description: The secret, dots between its keys, or V(vault_password).
    type: str
    required: true
  state:
    description: V(replaced), or V(settled) once the former one is proved to be refused.
    type: str
    choices: [replaced, settled]
    default: replaced
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Tells whether anything would change.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Replace Jane's password for the databases
  art32.server.secret:
    environment: "{{ inventory_dir }}"
    name: vault_database_passwords.jane
"""

RETURN = r"""#"""
