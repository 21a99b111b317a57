#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declare a Python virtual environment made from hashed requirements."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtualenv
short_description: Declares a Python virtual environment made from hashed requirements
version_added: 0.1.0
description:
  - Makes a virtual environment beside O(path) from requirements of which every line carries its hashes, and moves
    the link O(path) to it in one step when it works. The environment before it serves until then.
  - It is made again when the requirements, a wheel or the interpreter's feature version changed, and when a former
    run was interrupted. Environments the link no longer points to are removed.
  - Only wheels are installed. Nothing is ever built from source on the host.
requirements:
  - Debian's package C(python3-venv) on the host
attributes:
  check_mode:
    description: Predicts whether the environment would be made.
    support: full
  diff_mode:
    description: Shows the directory the link points to.
    support: full
options:
  path:
    description: The link to the environment. The environment itself lies beside it, with a suffix of its own.
    type: path
    required: true
  requirements:
    description: Text of a requirements file with hashes, as C(uv pip compile --generate-hashes) writes it.
    type: str
    required: true
  wheels:
    description: Wheels on the host to install afterwards, without their dependencies.
    type: list
    elements: path
    default: []
  python:
    description: The interpreter to make it with.
    type: path
    default: /usr/bin/python3
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Make the environment certbot runs in
  art32.server.virtualenv:
    path: /opt/art32/certbot
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
"""

RETURN = r"""
directory:
  description: Where the environment is.
  type: str
  returned: success
  sample: /opt/art32/certbot-1f8e7a60
python_version:
  description: The interpreter's feature version.
  type: str
  returned: success
  sample: "3.13"
removed:
  description: Environments that were removed.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.virtualenv import (
    ARGUMENTS,
    VirtualenvError,
    ensure,
    specification,
)


def main() -> None:
    """Read the options, make the environment, answer."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    options = module.params
    path = Path(options["path"])
    before = str(path.readlink()) if path.is_symlink() else ""
    try:
        outcome = ensure(path, specification(options), check_mode=module.check_mode)
    except VirtualenvError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=outcome.changed,
        directory=str(outcome.directory),
        python_version=outcome.version,
        removed=[str(other) for other in outcome.removed],
        diff={"before": f"{path} -> {before}\n", "after": f"{path} -> {outcome.directory.name}\n"},
    )


if __name__ == "__main__":
    main()
