#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Declare who may do what in a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_access
short_description: Declares who may do what in a PostgreSQL cluster
version_added: 0.1.0
description:
  - Makes the roles, memberships, databases, owners, grants and default privileges of a cluster what is declared, in one
    run over the server's socket. Everything is read again after a change and compared with the declaration.
  - For a service's database V(D) there are the roles V(D_owner), which owns it and has no login at rest, V(D), with
    which the service logs in, reads and writes rows but makes and alters no table, and the groups V(D_readonly) and
    V(D_readwrite) for people.
  - Rights on tables come from default privileges only. What a service takes from its own role, for example changes of
    its activity log, is never given back. V(D_readwrite) is a member of V(D), so it loses the same.
  - Nobody may connect to a declared database, or make things in its schema V(public), merely by being there.
  - Roles of people that are no longer declared lose their login and sessions. The role goes too unless it
    owns something.
  - The server's settings hold for everybody. What a declared role, everybody, the server's own account or a database
    has otherwise (C(ALTER ROLE ... SET), C(ALTER DATABASE ... SET)) ends.
  - Extensions are made in the schema V(public), with those they need.
  - Other roles, memberships, databases, grants, owners, extensions, publications, subscriptions, foreign servers and
    replication slots that nobody declared are reported. No data is ever dropped.
  - A password is compared with the stored SCRAM-SHA-256 verifier. The server gets a verifier too, never the password.
requirements:
  - Debian's package C(python3-psycopg) on the host
attributes:
  check_mode:
    description: Predicts every change, on a host without a server as well.
    support: full
  diff_mode:
    description: Shows what was and what is, without passwords.
    support: full
options:
  databases:
    description: The services' databases.
    type: list
    elements: str
    default: []
  extensions:
    description: The extensions of each database, a list by the database's name. Their packages have to be installed.
    type: dict
    default: {}
    version_added: 0.1.0
  connection_limit:
    description: Connections that each service may have.
    type: int
    default: 50
  locale:
    description: Locale of a database that is made. An existing one keeps its own.
    type: str
    default: C.UTF-8
  people:
    description: Persons with a login of their own.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      role:
        description:
          - V(readonly) reads every service's tables, V(readwrite) does what the services may.
          - V(admin) is also a member of the owners, hence may make and alter tables after C(SET ROLE).
        type: str
        choices: [readonly, readwrite, admin]
        required: true
        aliases: [database]
      email:
        description: Taken as it stands in the declaration of people. The cluster has no use for it.
        type: str
      until:
        description: Last day, like V(2026-12-31), on which the server accepts the password.
        type: str
  passwords:
    description: Each person's password by name, ASCII only.
    type: dict
    default: {}
  undeclared:
    description:
      - What happens to what nobody declared.
      - V(remove) takes logins, memberships and grants away, ends publications, subscriptions, foreign servers and
        replication slots, and shuts databases for connections. Roles, databases and extensions stay where data hangs on
        them.
    type: str
    choices: [report, remove]
    default: report
  socket:
    description: Directory of the server's socket.
    type: path
    default: /var/run/postgresql
  port:
    description: The server's port, part of the socket's name.
    type: int
    default: 5432
  user:
    description: The user of the operating system, and superuser of the cluster, to connect as.
    type: str
    default: postgres
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Declare databases, roles and grants
  art32.server.postgresql_access:
    databases: [platform]
    extensions: {platform: [pg_trgm]}
    people:
      - {name: jane, role: readonly}
    passwords: "{{ vault_database_passwords }}"
"""

RETURN = r"""
changes:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: success
  sample: ["make role jane", "now: jane is a member of platform_readonly"]
undeclared:
  description: What is there although nobody declared it.
  type: list
  elements: str
  returned: success
  sample: ["role mallory", "database old"]
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.model import AccessError
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.server import HAS_PSYCOPG
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.task import ARGUMENTS, apply, warnings


def main() -> None:
    """Answer Ansible."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if not HAS_PSYCOPG and not module.check_mode:
        module.fail_json(msg=missing_required_lib("psycopg", reason="(Debian's package python3-psycopg)"))
    try:
        outcome = apply(module.params, check=module.check_mode)
    except (AccessError, ValueError) as error:
        module.fail_json(msg=str(error))
    for warning in warnings(outcome):
        module.warn(warning)
    module.exit_json(
        changed=bool(outcome.changes),
        changes=outcome.changes,
        undeclared=outcome.undeclared,
        diff={"before": _text(outcome.before), "after": _text(outcome.after)},
    )


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
