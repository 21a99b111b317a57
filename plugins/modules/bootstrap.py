#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap
short_description: Write a new environment
description:
  - Writes an inventory directory from the collection's example and a mapping of answers, with a certificate
    authority for people, a vault password and generated secrets of its own.
  - Runs on the controller; no host is touched.
  - Files that exist are kept as they are. Only secrets that the vault lacks are added to it.
options:
  environment:
    description: The environment's name.
    type: str
    required: true
  destination:
    description: The directory to write.
    type: path
    required: true
  answers:
    description:
      - The answers; docs/environments.md lists them. All wrong ones are refused at once.
      - What is missing is asked for, one question at a time, when there is a terminal. What was told is kept in the
        environment's C(.answers.yml), so that running it again asks nothing.
    type: dict
    default: {}
  example:
    description: The environment that is copied, by default this version's C(inventories/example).
    type: path
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Tells which files would be written.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Write the environment
  art32.server.bootstrap:
    environment: production
    destination: inventories/production
    answers: "{{ answers }}"
"""

RETURN = r"""
written:
  description: The files written, relative to the destination.
  type: list
  elements: str
  returned: success
sheet:
  description: The sheet to print, relative to the destination; empty unless the key of the backups was made now.
  type: str
  returned: success
cloud:
  description: Who makes the machines, V(aws) or V(none).
  type: str
  returned: success
kept:
  description: The files that existed and were left alone.
  type: list
  elements: str
  returned: success
"""
