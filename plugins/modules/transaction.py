#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply packages, files and units as one change that reverts itself unless it works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: transaction
short_description: Applies packages, files and units as one change that reverts itself unless it works
version_added: 0.1.0
description:
  - Compares everything that is declared with the host in one module run. Where nothing differs, nothing is done.
  - Otherwise it stages the files outside their places, lets their own tools validate them, keeps the old state, arms
    a revert on the host, installs, activates and probes. With O(confirm) a new login from the controller has to
    succeed before the revert is disarmed. Whatever fails in between, a kill or a reboot included, the host returns
    to its last confirmed state by itself.
  - The steps are packages, directories, staging, prepare, validate, snapshot and arming, files, units, activate,
    probes, confirm, disarm, finish.
  - Commands are lists, or strings that are split as a shell would, but no shell runs them.
  - One transaction can be pending on a host; another one is refused meanwhile, with who holds the place since when.
requirements:
  - systemd, dpkg and Python 3.11 or later on the host
attributes:
  action:
    description: The controller renders the files and opens the confirming connection.
    support: full
  check_mode:
    description: Predicts the same changes, on a host never configured too, and leaves nothing behind.
    support: full
  diff_mode:
    description: Shows files, attributes, packages and units. Files with O(files[].secret) never appear.
    support: full
options:
  name:
    description: Name of the transaction, unique on the host; lower-case letters, digits, C(-) and C(_).
    type: str
    required: true
  packages:
    description:
      - Debian packages that have to be installed; without recommended ones.
      - A revert removes those, and only those, that came with this transaction.
    type: list
    elements: str
    default: []
  directories:
    description: Directories that have to exist. Missing ones above them are made, too.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      mode:
        description: Octal mode.
        type: str
        default: "0755"
  files:
    description:
      - Files and links that have to exist, whole.
      - Each has exactly one of O(files[].template), O(files[].content), O(files[].src) and O(files[].link).
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path.
        type: path
        required: true
      template:
        description: Template of the role or the play, rendered on the controller as M(ansible.builtin.template) does.
        type: str
      vars:
        description: Variables for this template only, over those of the task.
        type: dict
      content:
        description: The content itself.
        type: str
      content_base64:
        description: The content in base64, for files that are no text.
        type: str
      src:
        description: File of the role or the play on the controller, in any encoding; a vaulted one is decrypted.
        type: str
      link:
        description: Makes a symbolic link to this target.
        type: str
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      mode:
        description: Octal mode; without meaning for a link.
        type: str
        default: "0644"
      secret:
        description: Keeps the content out of diffs and messages.
        type: bool
        default: false
  owns:
    description:
      - Patterns as of the shell. Files and links that match and are not declared are removed.
      - Hidden files and directories never match.
    type: list
    elements: str
    default: []
  keep_shipped:
    description: Leaves those that match O(owns) and that a package of Debian has, as long as nobody changed them.
    type: bool
    default: false
  absent:
    description: Paths that must not exist. A directory is removed with all that is in it.
    type: list
    elements: path
    default: []
  manifest:
    description:
      - Keeps a list of all that is declared in C(/var/lib/art32/transaction/manifest) on the host, for an audit to
        compare with. No secret can be told from it - what not everybody may read has a digest under a key of the host
        (C(/var/lib/art32/transaction/manifest.key), made when it is missing).
    type: bool
    default: false
  prepare:
    description: Commands that make what the files need, such as a key, once. A revert removes what they made.
    type: list
    elements: dict
    default: []
    suboptions:
      command:
        description: The command. C({staged:PATH}) stands for the staged copy of a declared file.
        type: raw
        required: true
      creates:
        description: All that the command makes. It is run when one of these paths is missing.
        type: list
        elements: path
        required: true
      timeout:
        description: Seconds it may take.
        type: int
        default: 300
  validate:
    description:
      - Commands that have to accept the staged files before anything live changes.
      - A command, or a dictionary of C(command), C(overlay) and C(timeout). In a command C({staged:PATH}) stands for
        the staged copy of a declared file. With C(overlay), a list of directories, the command sees copies of them at
        their live paths, with the staged files in them and the undeclared ones removed; nobody else does.
    type: list
    elements: raw
    default: []
  units:
    description: Units of systemd and what they have to be. What is not given is left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix.
        type: str
        required: true
      state:
        description: Whether it runs.
        type: str
        choices: [started, stopped]
      enabled:
        description: Whether it is started at boot.
        type: bool
      masked:
        description: Whether it cannot be started at all.
        type: bool
  activate:
    description:
      - What makes the running system read the files, in order. Run after a change, and again after a revert.
      - Run as well when a unit runs with an older configuration than its files, however that came about.
      - Each entry has one of O(activate[].unit), O(activate[].command) and O(activate[].daemon_reload).
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: Unit to give the O(activate[].verb) to.
        type: str
      verb:
        description: What systemctl is asked to do. V(reload) starts a unit that does not run.
        type: str
        choices: [reload, restart, reload-or-restart, start, stop]
        default: reload
      command:
        description: Command to run.
        type: raw
      undo:
        description: Command to run on a revert in the place of O(activate[].command), when the old files are back.
        type: raw
      daemon_reload:
        description: Makes systemd read its unit files. A changed file below C(/etc/systemd/system) does so by itself.
        type: bool
        default: false
      files:
        description: Patterns of paths. The entry is run only when a file that matches changed.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds it may take.
        type: int
        default: 60
  finish:
    description:
      - Commands that are run when the change is final, in order, for what no revert could take back, such as ending
        the sessions of those who may not come in any more.
      - One that could not be run then is owed, and is run after the next confirmation.
    type: list
    elements: dict
    default: []
    suboptions:
      command:
        description: Command to run.
        type: raw
        required: true
      files:
        description: Patterns of paths. The entry is run only when a file that matches changed.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds it may take.
        type: int
        default: 60
  loaded:
    description:
      - Commands whose output is kept at the activation. Another output later is a drift, and activates again.
      - For what no unit holds, such as the kernel's packet filter.
    type: list
    elements: raw
    default: []
  probes:
    description:
      - What has to answer on the host after the activation.
      - Each entry has one of O(probes[].unit), O(probes[].port), O(probes[].socket) and O(probes[].command).
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: Unit that has to be active.
        type: str
      port:
        description: TCP port that has to accept a connection.
        type: int
      address:
        description: Address of the O(probes[].port).
        type: str
        default: "127.0.0.1"
      socket:
        description: Unix socket that has to accept a connection.
        type: path
      command:
        description: Command that has to succeed.
        type: raw
      timeout:
        description: Seconds to keep asking.
        type: int
        default: 10
  confirm:
    description: What the controller has to achieve before the change is final. Without it the host's probes suffice.
    type: dict
    suboptions:
      login:
        description: A new connection and a new login.
        type: bool
        default: true
      user:
        description: User to log in as. By default that of the play.
        type: str
      private_key_file:
        description: Private key to log in with, with its certificate beside it. By default that of the play.
        type: str
      timeout:
        description: Seconds until the armed revert fires; stands for O(timeout).
        type: int
      commands:
        description:
          - Commands that have to succeed on the controller before the new login commits. The last line of what one
            says is the reason when it fails; what it prints when it succeeds becomes a warning.
          - None of this is sent to the host.
        type: list
        elements: dict
        default: []
        suboptions:
          command:
            description: A list of words, or one line that is split like a shell's.
            type: raw
            required: true
          stdin:
            description: What it reads, such as a password.
            type: str
  timeout:
    description: Seconds until the armed revert fires.
    type: int
    default: 60
  step:
    description: Set by the controller. All but V(apply) belong to the second half of a transaction with O(confirm).
    type: str
    choices: [apply, commit, finish, inquire, revert]
    default: apply
  token:
    description: Set by the controller. Tells this run's transaction from any other.
    type: str
  owner:
    description: Set by the controller. Who runs the transaction, for those who are refused meanwhile.
    type: str
  contents:
    description: Set by the controller. Contents of all files in one opaque text.
    type: str
notes:
  - The command C(art32-revert) on the host shows a pending transaction, C(art32-revert NAME) reverts it at once.
seealso:
  - module: ansible.builtin.template
author:
  - The art32.server contributors (@art32)
"""

EXAMPLES = r"""
- name: Apply the SSH server's configuration
  art32.server.transaction:
    name: sshd
    packages: [openssh-server]
    directories:
      - {path: /etc/ssh/principals}
    files:
      - {template: etc/ssh/sshd_config.j2, dest: /etc/ssh/sshd_config, mode: "0600"}
    owns: ["/etc/ssh/sshd_config.d/*.conf", "/etc/ssh/principals/*"]
    validate: ["/usr/sbin/sshd -t -f {staged:/etc/ssh/sshd_config}"]
    activate:
      - {unit: ssh.service, verb: reload}
    probes:
      - {unit: ssh.service}
      - {port: 22}
    confirm: {login: true}

- name: Apply the web server's configuration, one file for each service
  art32.server.transaction:
    name: nginx
    packages: [nginx]
    files: "{{ __nginx_files }}" # such as {template: service.conf.j2, dest: ..., vars: {service: ...}}
    owns: ["/etc/nginx/sites-enabled/*"]
    prepare:
      - command: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=placeholder
          -keyout /etc/nginx/placeholder.key -out /etc/nginx/placeholder.pem
        creates: /etc/nginx/placeholder.pem
    validate:
      - {command: /usr/sbin/nginx -t, overlay: [/etc/nginx]}
    units:
      - {name: nginx.service, enabled: true, state: started}
    activate:
      - {unit: nginx.service, verb: reload}
    probes:
      - {port: 443}
"""

RETURN = r"""
state:
  description: How it ended.
  type: str
  returned: always
  sample: committed
  choices: [unchanged, committed, reverted, predicted, refused]
changes:
  description: What was or would be changed, a sentence each.
  type: list
  elements: str
  returned: always
  sample: ["Change the content of /etc/ssh/sshd_config", "Reload ssh.service"]
notes:
  description:
    - What is worth knowing besides, such as validations that have to wait for a package in check mode, and what the
      commands of O(finish) said.
  type: list
  elements: str
  returned: when there is something
packages:
  description: Packages that were missing.
  type: list
  elements: str
  returned: success
outcome:
  description:
    - What a revert did. C(why) it ran, when it C(ended), its C(actions), C(notes) and C(problems), each a list of
      sentences. Without problems the host is, verified, in its last confirmed state.
  type: dict
  returned: after a revert
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.art32.server.plugins.module_utils.transaction import stamp
from ansible_collections.art32.server.plugins.module_utils.transaction.compare import Comparison, compare
from ansible_collections.art32.server.plugins.module_utils.transaction.manifest import requested
from ansible_collections.art32.server.plugins.module_utils.transaction.model import Request, TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.pending import Refused, pending_plan, uptime
from ansible_collections.art32.server.plugins.module_utils.transaction.specification import SPECIFICATION


def main() -> None:
    """Apply, predict, commit or inquire."""
    module = AnsibleModule(argument_spec=SPECIFICATION, supports_check_mode=True)
    # What is made on the way, by commands too, is as it is meant, whatever the umask of the session.
    os.umask(0o022)
    try:
        result = run(module)
    except (TransactionError, Refused) as error:
        module.fail_json(msg=str(error), invocation={}, **failure(error))
    module.exit_json(invocation={}, **result)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do this step. Raises TransactionError."""
    if module.params["step"] != "apply":
        return second_half(module.params)
    request = requested(module.params)
    if pending_plan() is not None:
        clear_the_way(check=module.check_mode)
    comparison = compare(request)
    result: dict[str, Any] = {
        "changed": bool(comparison.changes),
        "changes": [change.sentence for change in comparison.changes],
        "packages": list(comparison.packages),
    }
    if module._diff:  # noqa: SLF001 - Ansible's own name for it
        result["diff"] = [change.diff() for change in comparison.changes if change.header]
    return {**result, **carry_out(request, comparison, check=module.check_mode)}


def clear_the_way(*, check: bool) -> None:
    """Refuse while another transaction is pending; revert one that nobody can end any more."""
    from ansible_collections.art32.server.plugins.module_utils.transaction import arm  # noqa: PLC0415

    arm.refuse_if_pending()
    if not check:
        arm.recover()


def carry_out(request: Request, comparison: Comparison, *, check: bool) -> dict[str, Any]:
    """Predict or apply what differs. The machinery for it is loaded only then: most runs never need it."""
    if not comparison.changes:
        if not check:
            stamp.refresh(request, comparison.evidence)
        return {"state": "unchanged"}
    from ansible_collections.art32.server.plugins.module_utils.transaction import apply  # noqa: PLC0415

    if check:
        notes = apply.predict(request, comparison)
        return {"state": "predicted", **({"notes": notes} if notes else {})}
    state, plan = apply.apply(request, comparison)
    if state == "committed":
        return {"state": state, **finish(request.name)}
    return {"state": state, "remaining": plan["deadline"] - uptime()}


def finish(name: str) -> dict[str, Any]:
    """Do what follows when a change is final."""
    from ansible_collections.art32.server.plugins.module_utils.transaction import finish as last  # noqa: PLC0415 - of this phase

    said = last.finish(name)
    return {"notes": said} if said else {}


def second_half(parameters: dict[str, Any]) -> dict[str, Any]:
    """Commit, or say what became of the transaction."""
    from ansible_collections.art32.server.plugins.module_utils.transaction import confirm  # noqa: PLC0415

    name, token = parameters["name"], parameters["token"]
    if parameters["step"] == "commit":
        changes = confirm.commit(name, token)
        return {"changed": True, "state": "committed", "changes": changes, "owed": confirm.is_owed(name)}
    if parameters["step"] == "finish":
        return {"changed": True, "state": "committed", **finish(name)}
    ask = confirm.revert if parameters["step"] == "revert" else confirm.inquire
    return {"changed": False, **ask(name, token)}


def failure(error: Exception) -> dict[str, Any]:
    """Say how a failed transaction ended."""
    outcome = getattr(error, "outcome", None)
    if outcome:
        return {"state": "reverted", "outcome": outcome}
    return {"state": "committed" if getattr(error, "is_final", False) else "refused"}


if __name__ == "__main__":
    main()
