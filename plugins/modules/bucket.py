#!/usr/bin/python
# -*- coding: utf-8 -*-
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring a bucket back to what it was at a moment."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bucket
short_description: Brings a bucket back to what it was at a moment
version_added: 0.1.0
description:
  - A bucket with object lock keeps every version. Whoever deleted or overwrote what is in it only put something newer
    on top. This puts the version of the moment on top again, and marks as deleted what was not there then.
  - No version is removed, so it can be repeated with another moment. Copies are made inside S3.
  - Runs on the controller with boto3.
options:
  name:
    description: The bucket.
    type: str
    required: true
  moment:
    description: A time with its zone.
    type: str
    required: true
  endpoint:
    description: Where S3 answers over TLS, HOST or HOST:PORT.
    type: str
    required: true
  region:
    description: The bucket's region.
    type: str
    required: true
  uri_style:
    description: How the bucket is named to the endpoint.
    type: str
    choices: [host, path]
    default: host
  ca_file:
    description: A file with the authorities of the endpoint's certificate; empty is the system's.
    type: path
    default: ""
  key:
    description: The key's id.
    type: str
    required: true
  key_secret:
    description: The key's secret.
    type: str
    required: true
requirements: [boto3]
attributes:
  check_mode:
    description: Tells the plan.
    support: full
author:
  - art32.server contributors
"""

EXAMPLES = r"""
- name: Bring the bucket back to yesterday
  art32.server.bucket:
    name: provider-production-backups
    moment: "2026-11-24 03:12:00+00:00"
    endpoint: s3.eu-central-1.amazonaws.com
    region: eu-central-1
    key: "{{ backup_s3_key }}"
    key_secret: "{{ backup_s3_key_secret }}"
  delegate_to: localhost
"""

RETURN = r"""
plan:
  description: What differed from that moment, a line each; in check mode what would be done.
  type: list
  elements: str
  returned: always
"""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.art32.server.plugins.module_utils.cloud.versions import Endpoint, apply, plan, versions_of

OPTIONS = {
    "name": {"type": "str", "required": True},
    "moment": {"type": "str", "required": True},
    "endpoint": {"type": "str", "required": True},
    "region": {"type": "str", "required": True},
    "uri_style": {"type": "str", "choices": ["host", "path"], "default": "host"},
    "ca_file": {"type": "path", "default": ""},
    "key": {"type": "str", "required": True, "no_log": True},
    "key_secret": {"type": "str", "required": True, "no_log": True},
}


def main() -> None:
    """Plan, carry out, and tell every line."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    try:
        moment = datetime.fromisoformat(given["moment"])
    except ValueError:
        moment = datetime.max  # noqa: DTZ901 - without a zone, and refused for it
    if moment.tzinfo is None or moment > datetime.now(tz=UTC):
        allowed = "a time in the past with its zone, like 2026-11-24 10:00:00+00:00"
        module.fail_json(msg=f"moment: {given['moment']} is not allowed; {allowed}")
    try:
        errors: Any = import_module("botocore.exceptions")
        s3 = Endpoint(
            host=given["endpoint"],
            region=given["region"],
            style=given["uri_style"],
            ca_file=given["ca_file"],
            key=given["key"],
            secret=given["key_secret"],
        ).client()
    except ImportError:
        module.fail_json(msg=missing_required_lib("boto3"))
    try:
        ways = plan(versions_of(s3, given["name"]), moment)
        if not module.check_mode:
            apply(s3, given["name"], ways)
    except (errors.BotoCoreError, errors.ClientError) as error:
        module.fail_json(msg=f"The bucket {given['name']}: {error}")
    module.exit_json(changed=bool(ways), plan=[str(way) for way in ways])


if __name__ == "__main__":
    main()
