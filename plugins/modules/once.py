#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command unless what it makes is there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: once
short_description: Runs a command unless what it makes is there
version_added: 0.1.0
description:
  - As M(ansible.builtin.command) with O(ansible.builtin.command#module:creates), for what belongs into no transaction
    because it may take hours. M(art32.server.survey) can ask whether it is due.
attributes:
  check_mode:
    description: Says whether the command would run.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  action:
    description: The command is run by M(ansible.builtin.command).
    support: full
options:
  command:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
  creates:
    description: What it makes; while this exists, nothing is run.
    type: path
    required: true
seealso:
  - module: ansible.builtin.command
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Make the first backup
  art32.server.once:
    command: [systemctl, start, art32-backup@server.service]
    creates: /var/lib/pgbackrest/backup/server/latest
"""

RETURN = r"""
rc:
  description: The command's status.
  type: int
  returned: when it ran
"""
