#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action that runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login
short_description: Log in with a certificate of one hour, or as a new machine's first user
description:
  - Makes or renews a certificate for C(access_person) by the environment's authority (C(access_ca)), kept beside
    the inventory in C(.access/), and logs in with it. It is renewed when it lasts less than 15 minutes.
  - A host that refuses the certificate because it was never configured is entered with C(access_first_user) and
    C(access_first_key). A host that does not answer is unreachable, whoever would log in.
  - The connection stays open for the later plays, and its one command reads the few facts that the roles use.
options:
  reason:
    description: Why the login is made. It stands in the certificate's key id, and so in the server's log.
    type: str
    default: site run
  first_user:
    description: Whether the machine's first user may be tried when the certificate is refused.
    type: bool
    default: true
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: A login changes nothing; it is made in check mode too.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Log in
  art32.server.login:
    reason: ticket 4711
  register: login

- name: Go on with that login
  ansible.builtin.set_fact:
    ansible_user: "{{ login.user }}"
    ansible_ssh_private_key_file: "{{ login.private_key_file }}"
"""

RETURN = r"""
user:
  description: The account that was let in.
  type: str
  returned: success
private_key_file:
  description: The private key on the controller; a certificate stands beside it.
  type: str
  returned: success
certificate:
  description: Whether the host accepted the certificate, so that it is a configured one.
  type: bool
  returned: success
ansible_facts:
  description: distribution, distribution_release, distribution_major_version, hostname, processor_vcpus, memtotal_mb
    and python_version, by Ansible's own names.
  type: dict
  returned: success
"""
