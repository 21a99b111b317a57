#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: Runs every check of the catalogue and keeps the evidence
version_added: 0.1.0
description:
  - Asks the environment's hosts, from inside and from its vantage hosts, whether each promise of
    C(controls/catalogue.yml) is kept, and writes C(report.json), C(report.html), C(annex.md) and every raw output into
    a directory of its own, to which C(latest) points.
  - Fails unless every promise is met, waived (C(audit_waivers)), or cannot be assessed and is declared so
    (C(audit_not_assessable)).
options:
  environment:
    description: The directory of the environment's inventory.
    type: path
    required: true
  directory:
    description: Where the evidence of this environment is kept. Each audit makes a directory in it, named by its time.
    type: path
    required: true
  kinds:
    description:
      - Which checks run. V(observe) leaves nothing on the hosts but log lines. V(scan) also runs independent scanners,
        which take minutes and write logs of their own, V(exercise) those that write, V(all) both.
    type: str
    choices: [observe, scan, exercise, all]
    default: observe
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: An audit changes nothing; it is made in check mode too.
    support: full
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Prove that every promise is kept
  art32.server.audit:
    environment: "{{ inventory_dir }}"
    directory: evidence/production
"""

RETURN = r"""
directory:
  description: The bundle that was written.
  type: str
  returned: success
open:
  description: What is neither met nor declared as an exception, one line each.
  type: list
  elements: str
  returned: success
"""
