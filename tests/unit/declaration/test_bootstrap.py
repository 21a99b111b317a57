"""New environments, written by the real playbook."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.art32.server.plugins.module_utils.declaration.escrow import retyped

from tests.pages import check_page, message_of, task_of

ROOT = Path(__file__).parents[3]
ANSWERS: dict[str, Any] = {
    "domain": "platform.provider.example",
    "contact": "privacy@provider.example",
    "provider_name": "Provider GmbH",
    "region": "eu-central-1",
    "management": ["198.51.100.5/32", "2001:db8:5::5"],
    "hosts": {
        "server": {"address": "203.0.113.10", "ipv6": "2001:db8::10"},
        "backup": {"address": "203.0.113.11"},
        "visitor": {"address": "203.0.113.12", "user": "root", "key": "/keys/visitor"},
    },
    "first_key": "~/.ssh/first",
    "operator": {"name": "joe", "email": "joe@provider.example"},
    "variables": {"extra": {"backup_retention_days": 7, "demo_note": "two\nlines\n"}},
}


def bootstrap(answers: dict[str, Any], directory: Path, *words: str, env: str = "production") -> tuple[int, str]:
    """Run the playbook; its exit code and all that it said."""
    file = directory / "answers.yml"
    file.write_text(yaml.safe_dump({"answers": answers}), encoding="utf-8")
    command = ["ansible-playbook", "-i", "localhost,", "playbooks/bootstrap.yml", "-e", f"env={env}"]
    command += ["-e", f"destination={directory}/environment", "-e", f"@{file}", *words]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# What the playbook said, for the page that shows it.
SAID: dict[str, str] = {}


def fingerprints(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bootstrap")
    code, said = bootstrap(ANSWERS, directory)
    assert code == 0, said
    SAID["first"] = said
    return directory / "environment"


@pytest.fixture(scope="module")
def inventory(written: Path) -> dict[str, Any]:
    command = ["ansible-inventory", "-i", str(written), "--list"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "WARNING" not in done.stderr
    return dict(json.loads(done.stdout))


def test_hosts_play_the_parts_of_their_names(inventory: dict[str, Any]) -> None:
    parts = {name: group["hosts"] for name, group in inventory.items() if "hosts" in group}
    assert parts == {
        "database": ["server"],
        "web": ["server"],
        "app": ["server"],
        "backup_repository": ["backup"],
        "vantage_visitor": ["visitor"],
    }


def test_answers_become_variables(inventory: dict[str, Any]) -> None:
    server = inventory["_meta"]["hostvars"]["server"]
    assert server["network_addresses"] == ["203.0.113.10", "2001:db8::10"]
    assert server["network_management"] == ANSWERS["management"]
    assert server["art32_environment"] == "production"
    assert server["services"][0]["domain"] == ANSWERS["domain"]
    assert server["people"][0]["name"] == "joe"
    assert server["backup_retention_days"] == 7
    assert server["demo_note"] == "two\nlines\n"
    assert inventory["_meta"]["hostvars"]["visitor"]["ansible_user"] == "root"


def test_the_example_s_comments_are_kept(written: Path) -> None:
    assert "# Every port that is open" in (written / "group_vars/all/network.yml").read_text(encoding="utf-8")


def test_secrets_are_long_encrypted_and_private(written: Path, inventory: dict[str, Any]) -> None:
    secrets = inventory["_meta"]["hostvars"]["server"]
    for name in ("vault_backup_cipher_pass", "vault_platform_secret_key", "vault_platform_data_key"):
        assert len(secrets[name]) >= 40
    assert list(secrets["vault_database_passwords"]) == ["joe"]
    for name in ("group_vars/all/vault.yml", ".ssh/user_ca"):
        assert (written / name).read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;")
    for name in (".vault-password", ".ssh/user_ca", "group_vars/all/vault.yml"):
        assert (written / name).stat().st_mode & 0o777 == 0o600
    found = b"".join(fingerprints(written).values())
    assert secrets["vault_backup_cipher_pass"].encode() not in found


def test_the_authority_s_public_key_is_the_declared_one(written: Path, inventory: dict[str, Any]) -> None:
    declared = inventory["_meta"]["hostvars"]["server"]["access_ca_public"]
    assert declared == (written / ".ssh/user_ca.pub").read_text(encoding="utf-8").strip()


def test_again_changes_nothing(written: Path) -> None:
    before = fingerprints(written)
    code, said = bootstrap(ANSWERS | {"contact": "other@provider.example"}, written.parent)
    assert code == 0
    assert "changed=0" in said
    assert fingerprints(written) == before


def test_the_page_shows_both_runs(written: Path) -> None:
    command = "ansible-playbook -i localhost, playbooks/bootstrap.yml -e env=production -e @answers.yml"
    code, again = bootstrap(ANSWERS, written.parent)
    assert code == 0
    shown = {re.escape(str(written)): "inventories/production"}
    for said, words in ((SAID["first"], command), (again, f"{command}   # again")):
        check_page("environments.md", words, task_of(said, "Tell what comes next"), shown)


def test_a_lost_file_is_written_again_and_no_secret_with_it(written: Path) -> None:
    before = fingerprints(written)
    (written / "group_vars/all/access.yml").unlink()
    code, said = bootstrap(ANSWERS, written.parent)
    assert code == 0
    assert "changed=1" in said
    assert fingerprints(written) == before


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    code, said = bootstrap(ANSWERS, tmp_path, "--check")
    assert code == 0
    assert "changed=1" in said
    assert not (tmp_path / "environment").exists()


def test_all_wrong_answers_are_refused_at_once(tmp_path: Path) -> None:
    wrong = ANSWERS | {
        "domain": "platform provider.example",
        "management": ["10.0.0.0/33"],
        "region": "us-east-1",
        "hosts": {"server": {"address": "somewhere"}, "other": {"address": "203.0.113.9"}},
        "mail_relay": "mail",
        "contcat": "x",
        "people": [{"name": "jane", "email": "jane@provider.example", "ssh": "user"}],
    }
    del wrong["first_key"]
    code, said = bootstrap(wrong, tmp_path, env="Example")
    assert code == 2
    assert not (tmp_path / "environment").exists()
    for line in (
        "env: Example is not allowed; lower-case letters, digits and dashes, not example",
        "answers.contcat: unknown; did you mean contact?",
        "answers.domain: platform provider.example is not allowed; a host name in lower case",
        "answers.region: us-east-1 is not allowed; eu-central-1",
        "answers.first_key: missing; the path of the private key that a new machine accepts",
        "answers.mail_relay: mail is not allowed; HOST:PORT",
        "answers.hosts.server.address: somewhere is not allowed; an IPv4 or IPv6 address",
        "answers.hosts.other.groups: missing; a list of database, web",
        "answers.management[0]: 10.0.0.0/33 is not allowed",
        "answers.operator.name: joe is not allowed; a person of answers.people with ssh: admin",
    ):
        assert line in said
    command = "ansible-playbook -i localhost, playbooks/bootstrap.yml -e env=Example -e @wrong.yml"
    check_page("environments.md", command, message_of(said))


def test_one_host_alone_is_an_environment(tmp_path: Path) -> None:
    answers = ANSWERS | {"hosts": {"server": {"address": "203.0.113.10", "groups": ["database"]}}, "services": []}
    assert bootstrap(answers, tmp_path)[0] == 0
    environment = tmp_path / "environment"
    command = ["ansible", "-i", str(environment), "all:vantage_visitor:backup_repository", "--list-hosts"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.split()[-1] == "server"
    assert "WARNING" not in done.stderr


def ask(directory: Path, conversation: list[tuple[str, str]]) -> str:
    """Run the playbook on a terminal without answers; type each text after its question. All that was shown."""
    command = ["setsid", "--ctty", "--wait", "ansible-playbook", "-i", "localhost,", "playbooks/bootstrap.yml"]
    command += ["-e", "env=production", "-e", f"destination={directory}/environment"]
    terminal, inner = pty.openpty()
    with subprocess.Popen(command, cwd=ROOT, stdin=inner, stdout=inner, stderr=inner) as process:
        os.close(inner)
        try:
            return converse(terminal, [*conversation, ("PLAY RECAP", "")])
        finally:
            os.close(terminal)
            process.wait(timeout=30)


def converse(terminal: int, conversation: list[tuple[str, str]]) -> str:
    """Type each text once its question is shown and the terminal reads; again when it was not heard."""
    shown, seen, former = "", 0, None
    for question, text in conversation:
        silent = 0
        while question not in shown[seen:]:
            heard = hear(terminal, 15)
            silent = 0 if heard else silent + 1
            assert silent < 3, f"never asked: {question}\n{shown}"
            # A terminal that changes its mode shows what it was given, and may forget it.
            if not heard and former is not None:
                os.write(terminal, f"{former}\r".encode())
            shown += heard
        former = text
        seen = len(shown)
        while question != "PLAY RECAP":
            while termios.tcgetattr(terminal)[3] & termios.ICANON:
                shown += hear(terminal, 0.1)
            os.write(terminal, f"{text}\r".encode())
            heard = hear(terminal, 2)
            if heard:
                shown += heard
                break
    return shown


def hear(terminal: int, patience: float) -> str:
    """What the terminal shows next; empty when it shows nothing in time."""
    if not select.select([terminal], [], [], patience)[0]:
        return ""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""


def test_what_no_answer_says_is_asked_and_wrong_answers_are_refused_one_by_one(tmp_path: Path) -> None:
    shown = ask(
        tmp_path,
        [
            ("as customers know it:", "Provider GmbH"),
            ("provider's team:", "nobody"),
            ("provider's team:", "privacy@provider.example"),
            ("platform's domain:", "platform.provider.example"),
            ("Your account's name on the servers:", "jane"),
            ("Your e-mail address [privacy@provider.example]:", ""),
            ("every machine and backup [eu-central-1]:", "us-east-1"),
            ("every machine and backup [eu-central-1]:", ""),
            ("with commas:", "0.0.0.0/0"),
            ("with commas:", "198.51.100.5/32"),
            ("or none (they are there) [none]:", ""),
            ("The server's addresses, IPv4 and IPv6, with a comma:", "203.0.113.10"),
            ("that keeps the backups:", "203.0.113.11"),
            ("new machine has [admin]:", ""),
            ("[~/.ssh/id_ed25519]:", ""),
            ("(Enter: none):", ""),
        ],
    )
    assert "answers.contact: nobody is not allowed; an e-mail address" in shown
    assert "answers.region: us-east-1 is not allowed; eu-central-1" in shown
    assert "answers.management[0]: 0.0.0.0/0 is not allowed" in shown
    assert "Print " in shown
    page = (ROOT / "docs/environments.md").read_text(encoding="utf-8").partition("$ make env ENV=production\n")[2]
    # Where a text was entered, a terminal shows a new line, and this one how it gets there.
    spoken = iter(line.strip() for line in re.sub(r"\^M\x1b.*?K", "\n", shown, flags=re.DOTALL).splitlines())
    for line in page.partition("```")[0].splitlines():
        assert line in spoken, f"docs/environments.md: {line} is not said, or not there"
    before = fingerprints(tmp_path / "environment")
    code, said = bootstrap({}, tmp_path)
    assert code == 0, said
    assert "changed=0" in said
    assert fingerprints(tmp_path / "environment") == before


def test_without_a_terminal_what_is_missing_is_named(tmp_path: Path) -> None:
    code, said = bootstrap({"domain": "platform.provider.example"}, tmp_path)
    assert code == 2
    assert "answers.contact: missing; an e-mail address" in said


def test_the_sheet_holds_what_opens_vault_and_backups(written: Path, inventory: dict[str, Any]) -> None:
    page = (written / ".escrow-sheet.txt").read_text(encoding="utf-8")
    assert (written / ".escrow-sheet.txt").stat().st_mode & 0o777 == 0o600
    assert ".escrow-sheet.txt" in (written / ".gitignore").read_text(encoding="utf-8").splitlines()
    values, lines = [], list[str]()
    for line in [*page.splitlines(), "end"]:
        if line.startswith("    "):
            lines.append(line)
        elif lines:
            values.append(retyped(lines))
            lines = []
    secrets = inventory["_meta"]["hostvars"]["server"]
    password = (written / ".vault-password").read_text(encoding="utf-8").strip()
    assert values == [password, secrets["vault_backup_cipher_pass"]]


def test_machines_that_aws_makes_come_from_a_dynamic_inventory(tmp_path: Path) -> None:
    answers = {key: value for key, value in ANSWERS.items() if key != "hosts"} | {"cloud": "aws"}
    code, said = bootstrap(answers, tmp_path)
    assert code == 0, said
    assert "playbooks/cloud.yml --check" in said
    dynamic = yaml.safe_load((tmp_path / "environment/aws_ec2.yml").read_text(encoding="utf-8"))
    assert dynamic["plugin"] == "amazon.aws.aws_ec2"
    assert dynamic["regions"] == ["eu-central-1"]
    assert dynamic["filters"]["tag:art32_environment"] == "production"


def escrow(environment: Path, lines: list[str]) -> tuple[int, str]:
    """Type the lines of a sheet."""
    command = ["scripts/escrow", str(environment)]
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, cwd=ROOT, input=text, check=False, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_the_sheet_of_the_safe_is_proved_to_open_the_vault(written: Path, tmp_path: Path) -> None:
    page = (written / ".escrow-sheet.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in page if line.startswith("    ")]
    assert escrow(written, lines[:2]) == (0, "The sheet opens the vault; the key of the backups is in it.")
    assert escrow(written, lines[2:]) == (
        1,
        "escrow: The lines are what is printed, but open this vault no more: print a new sheet",
    )
    code, said = escrow(written, [lines[0][:-1] + "x", lines[1]])
    assert code == 1
    assert said.endswith("is not what is printed; its check does not match")
    assert escrow(tmp_path, lines)[0] == 1
