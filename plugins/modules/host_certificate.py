#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_certificate
short_description: Certifies a host's own key, so that clients know the host without having met it
version_added: 0.1.0
description:
  - The environment's certificate authority (C(access_ca)) signs the host's ed25519 key, as read at login, on the
    controller. The host is not contacted; the certificate is returned, and installed by the transaction that needs it.
  - A certificate with more than a third of its time left is returned as it is.
  - With O(known_hosts) nothing is signed. The file gets one C(@cert-authority) line for the host and each authority,
    and the lines of authorities that are not named go.
attributes:
  check_mode:
    description: Predicts whether a certificate would be made or the file be written.
    support: full
  diff_mode:
    description: There is nothing that the transaction's own difference would not show.
    support: none
options:
  names:
    description: Names and addresses by which clients reach the host; the inventory's own name last.
    type: list
    elements: str
    required: true
  validity_days:
    description: Days that a new certificate is good for.
    type: int
    default: 90
  known_hosts:
    description: A file of the controller's clients.
    type: path
  authorities:
    description: Public key lines of the authorities for O(known_hosts).
    type: list
    elements: str
    default: []
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Certify the host's key
  art32.server.host_certificate:
    names: [203.0.113.10, "2001:db8::10", server]
  register: __certified

- name: Let clients trust it
  art32.server.host_certificate:
    names: [203.0.113.10, "2001:db8::10", server]
    known_hosts: "{{ inventory_dir }}/.ssh/known_hosts"
    authorities: ["{{ access_ca_public }}"]
"""

RETURN = r"""
certificate:
  description: The certificate's line; empty in check mode when a new one is needed.
  type: str
  returned: without known_hosts
"""
