#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: watch
short_description: Gathers what an unattended audit is given
version_added: 0.1.0
description:
  - Tells what an environment declares, without its secrets, and which shell lines an audit that nobody attends may
    ask of each host. The role C(watch) lays both down.
options:
  environment:
    description: The directory of the environment's inventory.
    type: path
    required: true
  host:
    description: The host that the audit runs on. The others are looked at from there.
    type: str
    required: true
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Nothing is changed; it is the same in check mode.
    support: full
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Gather what the watch may know and ask
  art32.server.watch:
    environment: "{{ inventory_dir }}"
    host: backup
  register: given
  run_once: true
"""

RETURN = r"""
declaration:
  description: What is declared, as the audit reads it.
  type: dict
  returned: success
known_hosts:
  description: Lines that let the audit know the hosts by their certificates.
  type: list
  elements: str
  returned: success
questions:
  description: For each host the C(lines) that may be asked, by name, and the patterns of the C(places) in them.
  type: dict
  returned: success
wheel:
  description: The checks, as a wheel's C(name) and its C(content) in base64.
  type: dict
  returned: success
"""
