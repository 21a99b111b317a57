# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write a new environment: an inventory directory with secrets of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ansible.errors import AnsibleActionFail, AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.art32.server.plugins.module_utils.access import fingerprint
from ansible_collections.art32.server.plugins.module_utils.declaration import answers as asked
from ansible_collections.art32.server.plugins.module_utils.declaration import questions
from ansible_collections.art32.server.plugins.module_utils.declaration.documents import (
    has_key,
    plain,
    render,
    rewrite,
)
from ansible_collections.art32.server.plugins.module_utils.declaration.escrow import sheet
from ansible_collections.art32.server.plugins.module_utils.declaration.problems import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Mapping

COLLECTION = Path(__file__).resolve().parent.parent.parent
EXAMPLE = COLLECTION / "inventories" / "example"
VARIABLES = Path("group_vars/all")
SECRET_BYTES = 48
BACKUP_KEY = "vault_backup_cipher_pass"
ANSWERS = ".answers.yml"
SHEET = ".escrow-sheet.txt"
IGNORED = (
    "# Never share these: the password of the vault, the sheet to print, and short-lived keys.\n"
    f".vault-password\n.vault-password.next\n{SHEET}\n.access/\n"
)


class ActionModule(ActionBase):
    """Runs on the controller only."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the answers, then write what is missing."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "environment": {"type": "str", "required": True},
                "destination": {"type": "str", "required": True},
                "answers": {"type": "dict", "default": {}},
                "example": {"type": "path", "default": str(EXAMPLE)},
            },
        )
        environment, answers = plain(arguments["environment"]), plain(arguments["answers"])
        destination = Path(arguments["destination"]).expanduser().absolute()
        answers, told = self._complete(environment, answers, destination)
        problems = asked.check_answers(environment, answers)
        if problems:
            message = "These answers cannot stand:\n" + "\n".join(map(str, problems))
            raise AnsibleActionFail(message)
        directory = Directory(destination, example=Path(arguments["example"]), dry=bool(self._task.check_mode))
        try:
            if told:
                directory.write(
                    ANSWERS, f"---\n# What was answered; playbooks/bootstrap.yml reads it.\n{render(answers)}"
                )
            write_environment(directory, environment, answers)
        except (OSError, subprocess.CalledProcessError, DeclarationError) as error:
            raise AnsibleActionFail(f"Cannot write {destination}: {error}") from error
        return {
            "changed": bool(directory.written),
            "written": directory.written,
            "kept": directory.kept,
            "destination": str(destination),
            "sheet": SHEET if SHEET in directory.written else "",
            "cloud": answers.get("cloud", "none"),
        }

    def _complete(self, environment: str, given: dict[str, Any], destination: Path) -> tuple[dict[str, Any], bool]:
        """The answers given, those that an earlier run was told, and the rest asked for; whether anything was asked."""
        earlier = destination / ANSWERS
        known = yaml.safe_load(earlier.read_text(encoding="utf-8")) if earlier.is_file() else {}
        answers = {**known, **given}
        wrong = [problem for problem in asked.check_answers(environment, answers) if problem.kind != "missing"]
        if wrong or questions.complete(answers):
            return answers, False
        try:
            for question in questions.missing(answers):
                if question.only(answers):
                    answers = self._ask(question, answers)
        except AnsiblePromptNoninteractive:
            return {**known, **given}, False
        return answers, True

    def _ask(self, question: questions.Question, answers: dict[str, Any]) -> dict[str, Any]:
        """Ask one question until its answer can stand."""
        default = question.default(answers)
        said = f"{question.text}{f' [{default}]' if default else ''}:"
        while True:
            try:
                text = Display().prompt_until(said).decode(errors="replace")
            except AnsiblePromptInterrupt as interrupt:
                raise AnsibleActionFail("Interrupted; nothing was written") from interrupt
            value, problems = questions.read(question, text, answers)
            if not problems:
                return answers if value is None else questions.answered(answers, question.path, value)
            Display().display("\n".join(map(str, problems)))


@dataclass
class Directory:
    """A directory whose existing files are kept, and the environment that it is copied from."""

    path: Path
    example: Path = EXAMPLE
    dry: bool = False
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def has(self, name: str | Path) -> bool:
        """Whether a file is there already; it is then counted as kept."""
        exists = (self.path / name).exists()
        if exists:
            self.kept.append(str(name))
        return exists

    def write(self, name: str | Path, content: str, mode: int = 0o644) -> None:
        """Write a file as a whole, or only note it when nothing is to be changed."""
        self.written.append(str(name))
        if self.dry:
            return
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(partial).chmod(mode)
        Path(partial).replace(target)


def write_environment(directory: Directory, environment: str, answers: Mapping[str, Any]) -> None:
    """Write every file of the environment that does not exist."""
    if not directory.dry:
        directory.path.mkdir(parents=True, exist_ok=True)
    variables = asked.variables_of(environment, answers)
    variables.setdefault("services", _example_services(directory.example, answers["domain"]))
    vault = _vault(directory)
    variables["access_ca_public"] = _certificate_authority(directory, vault, environment)
    _write_variables(directory, variables, answers.get("variables", {}))
    added = _write_secrets(directory, vault, asked.secrets_of(variables["people"], variables["services"]))
    if BACKUP_KEY in added:
        directory.write(SHEET, _sheet(environment, vault, added[BACKUP_KEY], variables["access_ca_public"]), mode=0o600)
    if not directory.has("hosts.yml"):
        directory.write("hosts.yml", _hosts(directory.example, answers))
    if answers.get("cloud") == "aws" and not directory.has("aws_ec2.yml"):
        directory.write("aws_ec2.yml", _dynamic_inventory(environment, answers))
    for name, content in ((".ssh/known_hosts", ""), (".gitignore", IGNORED)):
        if not directory.has(name):
            directory.write(name, content)


def _example_services(example: Path, domain: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((example / VARIABLES / "services.yml").read_text(encoding="utf-8"))
    service = document["services"][0]
    return [{**service, "domain": domain, "environment": {**service["environment"], "PLATFORM_DOMAIN": domain}}]


def _hosts(example: Path, answers: Mapping[str, Any]) -> str:
    hosts, groups = asked.hosts_of(answers)
    text = (example / "hosts.yml").read_text(encoding="utf-8")
    return rewrite(rewrite(text, ("all", "hosts"), hosts), ("all", "children"), groups)


def _write_variables(
    directory: Directory,
    variables: Mapping[str, Any],
    further: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the example's files with the environment's values; further ones where the example has them, else apart."""
    texts = {
        path.stem: path.read_text(encoding="utf-8") for path in sorted((directory.example / VARIABLES).glob("*.yml"))
    }
    del texts["vault"]
    for file, values in ({"environment": variables} | dict(further)).items():
        for name, value in values.items():
            place = next((stem for stem, text in texts.items() if has_key(text, name)), file)
            texts[place] = rewrite(texts.get(place, "---\n"), [name], value)
    for stem, text in texts.items():
        file_name = VARIABLES / f"{stem}.yml"
        if not directory.has(file_name):
            directory.write(file_name, text)


def _dynamic_inventory(environment: str, answers: Mapping[str, Any]) -> str:
    text = (EXAMPLE / ".aws_ec2.yml").read_text(encoding="utf-8")
    text = rewrite(text, ["regions"], [answers["region"]])
    return rewrite(text, ["filters", "tag:art32_environment"], environment)


def _sheet(environment: str, vault: VaultLib, backup_key: str, ca_public: str) -> str:
    """The sheet for the safe: what opens the vault, and what opens the backups."""
    password = vault.secrets[0][1].bytes.decode()
    authority = f"The authority of people's certificates is {fingerprint(ca_public)}; the vault opens it."
    return sheet(
        environment,
        datetime.now(tz=UTC).date(),
        {
            "Password of the vault": (f"Belongs in the environment's file .vault-password. {authority}", password),
            "Key of the backups": ("Without it no backup can be restored: pgBackRest's repo1-cipher-pass.", backup_key),
        },
    )


def _vault(directory: Directory) -> VaultLib:
    """The environment's vault; its password is made with it."""
    name = ".vault-password"
    named = os.environ.get("ART32_VAULT_PASSWORD_FILE")
    if named:
        password = Path(named).read_text(encoding="utf-8").strip()
    elif directory.has(name):
        password = (directory.path / name).read_text(encoding="utf-8").strip()
    else:
        password = secrets.token_urlsafe(SECRET_BYTES)
        directory.write(name, f"{password}\n", mode=0o600)
    return VaultLib([("default", VaultSecret(password.encode()))])


def _certificate_authority(directory: Directory, vault: VaultLib, environment: str) -> str:
    """Make the authority for people's certificates; its private key is kept encrypted. Returns its public key."""
    private, public = ".ssh/user_ca", ".ssh/user_ca.pub"
    if directory.has(private) and directory.has(public):
        return (directory.path / public).read_text(encoding="utf-8").strip()
    comment = f"art32 {environment} user CA"
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch) / "key"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        directory.write(private, vault.encrypt(key.read_text(encoding="utf-8")).decode(), mode=0o600)
        line = key.with_suffix(".pub").read_text(encoding="utf-8")
        directory.write(public, line)
    return line.strip()


def _write_secrets(directory: Directory, vault: VaultLib, names: list[str]) -> dict[str, str]:
    """Add the secrets that the vault lacks, and return them by name; those it has are never touched."""
    name = VARIABLES / "vault.yml"
    known: dict[str, Any] = {}
    exists = directory.has(name)
    if exists:
        known = yaml.safe_load(vault.decrypt((directory.path / name).read_bytes())) or {}
    added = {path: secret for path in names if (secret := _add_secret(known, path.split(".")))}
    if not added:
        return {}
    if exists:
        directory.kept.remove(str(name))
    text = "---\n# Generated; ansible-vault edit changes them.\n" + render(known)
    directory.write(name, vault.encrypt(text).decode(), mode=0o600)
    return added


def _add_secret(tree: dict[str, Any], path: list[str]) -> str:
    """The secret that is now below a path; empty when there was one."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    if path[-1] in tree:
        return ""
    tree[path[-1]] = secrets.token_urlsafe(SECRET_BYTES)
    return str(tree[path[-1]])
