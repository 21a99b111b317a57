#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take over the releases of a host's Python services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Releases Python services on a host, without a refused request
version_added: 0.1.0
description:
  - Compares each service's declared release with the one that runs. When all serve, that is one question to the host.
  - A missing release is built in a directory of its own under C(/srv/SERVICE/releases), its migrations are run once,
    it is started beside the old one and asked for its health, becomes the current one, and is started on the socket
    that stays open. When it is not healthy then, the release before serves again.
  - A wheel is sent, and a checkout's wheel built, only when a host lacks the release.
  - A migration that exits with status 75 cannot run while the service does. It is run again with C(ART32_MAINTENANCE=1)
    while the service is stopped and nginx answers 503.
  - Further processes of a service are restarted with the new release and have to keep running.
  - The units are those of the role P(art32.server.app#role).
requirements:
  - Debian's package C(python3-venv) on the host
  - C(build) on the controller, for checkouts
attributes:
  check_mode:
    description: Predicts the steps, on a fresh host too. No wheel is built or sent.
    support: full
  diff_mode:
    description: Shows each service's current and running release.
    support: full
  action:
    description: The sources are found on the controller.
    support: full
options:
  services:
    description:
      - Services as the environment declares them. The keys C(name), C(source), C(application), C(migrate) and
        C(database) matter here.
      - Relative paths in C(source) are looked for beside the inventory, in the working directory, and beside the
        collection.
    type: list
    elements: dict
    required: true
  server_requirements:
    description: Hashed requirements of the application server by kind of application, C(asgi) and C(wsgi). What a
      service's own requirements name is left to them.
    type: dict
    default: {}
  exclusive:
    description: Whether services that have releases on the host and are not in O(services) are ended. Their releases
      stay.
    type: bool
    default: false
  keep:
    description: How many releases of each service are kept to go back to.
    type: int
    default: 3
  lock_timeout:
    description: Seconds to wait for another release on the same host.
    type: int
    default: 60
  again:
    description: Whether a declared release that was taken back by O(back_to) is released again. Otherwise the one that
      serves stays, with a warning.
    type: bool
    default: false
  back_to:
    description: Goes back to a release that served before and is still on the host, V(previous) for the last one, or
      its id. The one that serves now is taken back, until it is released O(again). Migrations are not undone.
    type: str
    default: ""
  reason:
    description: Why, for the record.
    type: str
    default: ""
  by:
    description: Who releases, for the record. The variable C(access_person), otherwise the controller's user, when
      not given.
    type: str
    default: ""
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Release the services of this host
  art32.server.release:
    services: "{{ services }}"
    exclusive: true

- name: Release one that was built elsewhere
  art32.server.release:
    services:
      - name: shop
        source: {wheel: dist/shop-2.1-py3-none-any.whl, requirements: requirements.txt}
        application: {wsgi: "shop.wsgi:application"}
"""

RETURN = r"""
services:
  description: For each service its release and the steps that were taken or, in check mode, would be.
  type: dict
  returned: success
  sample: {shop: {release: 0f3ab1c2d4e5, previous: 9d8c7b6a5f4e, steps: [build, migrate, check, switch, restart]}}
retired:
  description: Services that were ended.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.release import lock
from ansible_collections.art32.server.plugins.module_utils.release.model import ReleaseError
from ansible_collections.art32.server.plugins.module_utils.release.task import ARGUMENTS, answer, compare, take_over


def main() -> None:
    """Compare; then ask for what is lacking, or take over."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    try:
        found = compare(options)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    result = answer(found)
    for warning in found.warnings:
        module.warn(warning)
    if not result["changed"] or module.check_mode:
        module.exit_json(**result)
    lacking = found.lacking()
    if lacking:
        module.exit_json(**{**result, "changed": False, "lacking": lacking})
    try:
        with lock.held(options["by"], timeout=options["lock_timeout"]):
            # Another release may have been under way.
            found = compare(options)
            result = answer(found)
            complaints = take_over(found, options)
    except ReleaseError as error:
        complaints = [str(error)]
    if complaints:
        module.fail_json(msg="\n".join(complaints), **{**result, "changed": True})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
