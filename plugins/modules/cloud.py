#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make what an environment needs on AWS."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud
short_description: Make what an environment needs on AWS
description:
  - Makes a network, a security group for each machine that equals C(network_exposure), instances whose volumes are
    encrypted and whose metadata service asks for a token, fixed addresses, a key for the first contact, and a bucket
    for backups whose versions nobody deletes before their time.
  - Runs on the controller with boto3. Credentials and endpoints come from where boto3 always looks.
  - Everything made carries the tags C(art32_environment) and C(art32_made_by), set with its creation. A pass that
    stopped half-way is taken up by the next one. Nothing without these tags is ever removed.
  - In check mode it tells the plan, on an empty account too.
options:
  state:
    description:
      - V(present) makes, V(absent) removes what was made, V(snapshot) takes a snapshot of every volume.
    type: str
    choices: [present, absent, snapshot]
    default: present
  environment:
    description: The environment's name.
    type: str
    required: true
  region:
    description: The region of everything.
    type: str
    required: true
  regions_allowed:
    description: The regions that are allowed; any other is refused before AWS is asked.
    type: list
    elements: str
    required: true
  machines:
    description: The machines to make.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: The host's name., type: str, required: true}
      instance_type: {description: Its type., type: str, required: true}
      volume_gib: {description: The size of its volume., type: int, required: true}
  image:
    description: An image's id; the newest of Debian 13's own when empty.
    type: str
    default: ""
  network:
    description: The IPv4 network to make.
    type: str
    required: true
  subnet_id:
    description: An existing subnet; no network is made then.
    type: str
    default: ""
  public_key:
    description: The public key line for the first contact.
    type: str
    required: true
  bucket:
    description: The bucket's name, unique in the world.
    type: str
    required: true
  lock_days:
    description: For how many days nobody can delete a version in the bucket.
    type: int
    required: true
  management:
    description: The environment's C(network_management).
    type: list
    elements: str
    required: true
  exposure:
    description: The environment's C(network_exposure).
    type: list
    elements: dict
    required: true
  groups:
    description: The inventory's groups.
    type: dict
    required: true
  addresses:
    description: Addresses of hosts that are not made here.
    type: dict
    default: {}
  keep:
    description: How many snapshots of a volume are kept.
    type: int
    default: 7
requirements: [boto3]
attributes:
  check_mode:
    description: Tells the plan.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Make what the environment needs
  art32.server.cloud:
    environment: production
    region: eu-central-1
    regions_allowed: [eu-central-1]
    machines: [{name: server, instance_type: t3.small, volume_gib: 20}]
    network: 10.32.0.0/24
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    bucket: provider-production-backups
    lock_days: 30
    management: "{{ network_management }}"
    exposure: "{{ network_exposure }}"
    groups: "{{ groups }}"
  delegate_to: localhost
"""

RETURN = r"""
plan:
  description: What differed, in order, a line each; in check mode what would be done.
  type: list
  elements: str
  returned: always
"""

from importlib import import_module
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.art32.server.plugins.module_utils.cloud.model import (
    CloudError,
    declaration_of,
)
from ansible_collections.art32.server.plugins.module_utils.cloud.site import apply, end, snapshot
from ansible_collections.art32.server.plugins.module_utils.cloud.work import Work, client_of
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import DeclarationError

MACHINE = {
    "name": {"type": "str", "required": True},
    "instance_type": {"type": "str", "required": True},
    "volume_gib": {"type": "int", "required": True},
}
OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent", "snapshot"], "default": "present"},
    "environment": {"type": "str", "required": True},
    "region": {"type": "str", "required": True},
    "regions_allowed": {"type": "list", "elements": "str", "required": True},
    "machines": {"type": "list", "elements": "dict", "required": True, "options": MACHINE},
    "image": {"type": "str", "default": ""},
    "network": {"type": "str", "required": True},
    "subnet_id": {"type": "str", "default": ""},
    "public_key": {"type": "str", "required": True, "no_log": False},
    "bucket": {"type": "str", "required": True},
    "lock_days": {"type": "int", "required": True},
    "management": {"type": "list", "elements": "str", "required": True},
    "exposure": {"type": "list", "elements": "dict", "required": True},
    "groups": {"type": "dict", "required": True},
    "addresses": {"type": "dict", "default": {}},
    "keep": {"type": "int", "default": 7},
}


def main() -> None:
    """Plan, make or end, and tell every line."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        boto3: Any = import_module("boto3")
        errors: Any = import_module("botocore.exceptions")
    except ImportError:
        module.fail_json(msg=missing_required_lib("boto3"))
    work = None
    try:
        # YAML 1.1 reads the key `on` as true, which a module is given as a text.
        rules = [{"on" if key == "true" else key: entry[key] for key in entry} for entry in module.params["exposure"]]
        arguments = module.params | {"exposure": rules}
        session = boto3.Session(region_name=module.params["region"])
        wanted = declaration_of(arguments)
        ec2, s3 = client_of(session, "ec2"), client_of(session, "s3")
        work = Work(wanted=wanted, ec2=ec2, s3=s3, dry=module.check_mode)
        if module.params["state"] == "present":
            apply(work)
        elif module.params["state"] == "snapshot":
            snapshot(work, module.params["keep"])
        else:
            end(work)
    except (CloudError, DeclarationError, errors.BotoCoreError, errors.ClientError) as error:
        module.fail_json(msg=str(error), plan=[str(change) for change in work.changes] if work else [])
    plan = [str(change) for change in work.changes]
    module.exit_json(changed=any(change.action != "keep" for change in work.changes), plan=plan)


if __name__ == "__main__":
    main()
