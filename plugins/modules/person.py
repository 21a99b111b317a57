#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: person
short_description: Add one person to an environment's declaration, or take one out
description:
  - Changes C(group_vars/all/people.yml), whose comments stay, and the person's password in the vault.
  - Runs on the controller; no host is touched.
options:
  environment:
    description: The environment's directory.
    type: path
    required: true
  name:
    description: The person's name.
    type: str
    required: true
  state:
    description:
      - V(present) adds or changes the person, V(absent) takes the person out, V(forgotten) drops the password as well.
    type: str
    choices: [present, absent, forgotten]
    default: present
  operator:
    description: Who runs the playbook, and so cannot be taken out.
    type: str
    required: true
  email: {description: The person's address., type: str, default: ""}
  ssh: {description: The person's role on the servers., type: str, default: ""}
  database: {description: The person's role in the databases., type: str, default: ""}
  platform: {description: The person's role on the platform., type: str, default: ""}
  last_day: {description: The last day of all of it., type: str, default: ""}
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
- name: Declare Joe
  art32.server.person:
    environment: "{{ inventory_dir }}"
    name: joe
    email: joe@provider.example
    database: readonly
    operator: "{{ access_person }}"
"""

RETURN = r"""
entry:
  description: What is, or was, declared of the person.
  type: dict
  returned: success
"""
