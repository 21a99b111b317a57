"""What playbooks/check.yml, the first step of the site, refuses in a real environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.art32.server.plugins.module_utils.declaration.specs import Spec, check_unknown

from tests.pages import check_page, message_of

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "inventories" / "example"
SECRET = "planted-secret-4711"  # noqa: S105 - to be looked for in what is printed
SERVICE: dict[str, Any] = yaml.safe_load((EXAMPLE / "group_vars/all/services.yml").read_text())["services"][0]


def check(directory: Path, variables: dict[str, Any], *words: str, inventory: Path = EXAMPLE) -> tuple[int, list[str]]:
    """Run the playbook with these variables; its exit code and the lines that it said."""
    file = directory / "variables.yml"
    file.write_text(yaml.safe_dump(variables), encoding="utf-8")
    command = ["ansible-playbook", "-i", str(inventory), "playbooks/check.yml", "-e", f"@{file}", *words]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.returncode, [line.strip() for line in (done.stdout + done.stderr).splitlines()]


def test_the_example_is_accepted(tmp_path: Path) -> None:
    code, said = check(tmp_path, {})
    assert code == 0, said
    assert not [line for line in said if "WARNING" in line or "DEPRECATION" in line]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "port": (
        {"network_exposure": [{"service": "ssh", "port": 70000, "from": "anywhere", "on": "all"}]},
        "network_exposure[0].port: 70000 is not allowed; a TCP port from 1 to 65535",
    ),
    "network": (
        {"network_management": ["10.0.0.0/33"]},
        (
            "network_management[0]: 10.0.0.0/33 is not allowed;"
            " an address or a network like 198.51.100.5/32 or fd32:32::/64"
        ),
    ),
    "authority": (
        {"sshd_trusted_user_ca_keys": []},
        (
            "sshd_trusted_user_ca_keys: [] is not allowed;"
            " a list, not empty, each a public key line like ssh-ed25519 AAAA..."
        ),
    ),
    "domain and socket": (
        {
            "services": [
                SERVICE | {"domain": "platform example.test"},
                SERVICE | {"domain": "other.example.test", "database": "other"},
            ],
        },
        (
            "services[0].domain: platform example.test is not allowed;"
            " a host name in lower case like platform.example.test, without blanks"
        ),
    ),
    "retention": (
        {"backup_retention_days": -1},
        "backup_retention_days: -1 is not allowed; a whole number from 1 to 3650",
    ),
    "typo": (
        {"sshd_trusted_user_ca_key": "x", "network_managment": []},
        "sshd_trusted_user_ca_key: unknown; did you mean sshd_trusted_user_ca_keys?",
    ),
    "another typo": ({}, "network_managment: unknown; did you mean network_management?"),
    "person": (
        {"people": [{"name": "jane", "email": "jane@provider.example", "ssh": "admin", "platform": "boss"}]},
        "people[0].platform: boss is not allowed; staff or administrator",
    ),
    "region": (
        {"art32_region": "us-east-1"},
        "art32_region: us-east-1 is not allowed; eu-central-1 (art32_regions_allowed)",
    ),
    "secret": (
        {"backup_cipher_pass": [SECRET], "vault_other": SECRET, "provider_contact": f"at {SECRET}"},
        "provider_contact: the value (hidden) is not allowed; an e-mail address",
    ),
    "undefined": ({"provider_privacy_url": "{{ nobody }}"}, "provider_privacy_url: missing; 'nobody' is undefined"),
}


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str]]:
    """All impossible values in one environment."""
    together: dict[str, Any] = {}
    for variables, _ in REFUSED.values():
        together |= variables
    return check(tmp_path_factory.mktemp("refused"), together)


@pytest.mark.parametrize("case", REFUSED)
def test_every_impossible_value_is_told_at_once(case: str, refusal: tuple[int, list[str]]) -> None:
    code, said = refusal
    assert code == 2
    assert REFUSED[case][1] in said


def test_the_page_shows_the_refusal(refusal: tuple[int, list[str]]) -> None:
    command = "ansible-playbook -i inventories/production playbooks/check.yml -e @wrong.yml"
    check_page("environments.md", command, message_of("\n".join(refusal[1])))


def test_no_secret_is_told(refusal: tuple[int, list[str]]) -> None:
    assert "backup_cipher_pass: the value (hidden) is not allowed; a text" in refusal[1]
    assert not [line for line in refusal[1] if SECRET in line]


def test_two_services_on_one_socket_and_no_management_are_refused(tmp_path: Path) -> None:
    second = SERVICE | {"domain": "other.example.test", "database": "other"}
    code, said = check(tmp_path, {"services": [SERVICE, second], "network_management": []})
    assert code == 2
    assert (
        "services[1].name: platform is not allowed;"
        " services[0] has this socket /run/art32/platform.sock; every service has its own"
    ) in said
    assert (
        "network_management: [] is not allowed; a list of at least one network:"
        " an address or a network like 198.51.100.5/32 or fd32:32::/64"
    ) in said


def test_what_is_missing_is_told_with_the_hosts_that_lack_it(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump(
            {
                "all": {
                    "hosts": {"server": {"network_addresses": ["nowhere"]}, "backup": {}, "probe": {}},
                    "children": {"vantage_visitor": {"hosts": {"probe": {}}}, "vantage_management": {}},
                },
            },
        ),
        encoding="utf-8",
    )
    code, said = check(tmp_path, {}, inventory=tmp_path / "hosts.yml")
    assert code == 2
    assert "art32_region: missing; a text" in said
    assert [line for line in said if line.startswith("network_addresses of host server: ") and "[server]" in line]
    assert not [line for line in said if "probe" in line]


def environment(path: Path, secret: str, hosts: dict[str, Any] | None = None) -> Path:
    """The example in a directory of its own, with this secret in its vault."""
    shutil.copytree(EXAMPLE, path)
    (path / "group_vars/all/vault.yml").write_text(
        yaml.safe_dump(
            {
                "vault_backup_cipher_pass": secret,
                "vault_platform_secret_key": f"key-of-{path.name}",
                "vault_platform_data_key": f"data-key-of-{path.name}",
                "vault_database_passwords": {"jane": f"password-of-{path.name}"},
            },
        ),
        encoding="utf-8",
    )
    if hosts is not None:
        text = yaml.safe_load((path / "hosts.yml").read_text(encoding="utf-8"))
        text["all"]["hosts"] |= hosts
        (path / "hosts.yml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return path


CONTRADICTIONS = {
    "a management network as wide as the world": (
        "network_management[0]: 0.0.0.0/0 is not allowed; a network of /8 or narrower"
        " (write anywhere in network_exposure when it is meant)"
    ),
    "a good part of it": (
        "network_management[1]: 2000::/3 is not allowed; a network of /16 or narrower"
        " (write anywhere in network_exposure when it is meant)"
    ),
    "the repository on the database's own host": (
        "group backup_repository: server is not allowed; another host than the database's own"
    ),
    "under another name": (
        "network_addresses of host backup: 203.0.113.10 is not allowed;"
        " an address of its own; the database's host server has this one"
    ),
    "two environments with one secret": (
        "vault_backup_cipher_pass: the value (hidden) is not allowed;"
        " a secret of this environment alone; staging has the same"
    ),
    "a region outside the list": (
        "art32_region: us-east-1 is not allowed; eu-central-1 or eu-west-2 (art32_regions_allowed)"
    ),
    "a list with a region outside the Union": (
        "art32_regions_allowed[1]: eu-west-2 is not allowed; a region inside the European Union, on AWS eu-central-1,"
    ),
    "a host in no group": (
        "groups of host stray: [] is not allowed; a host of database, web, app, backup_repository,"
        " vantage_management or vantage_visitor"
    ),
    "a certificate's name that is not the host's": (
        "services[0].domain: 192.0.2.77 is not allowed;"
        " a name of a web host (2001:db8::10, 203.0.113.10); it leads to 192.0.2.77"
    ),
}


@pytest.fixture(scope="module")
def contradictory(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str]]:
    """An environment with every contradiction at once, beside another one that has its secret."""
    directory = tmp_path_factory.mktemp("contradictory")
    environment(directory / "staging", SECRET)
    hosts = {"backup": {"network_addresses": ["203.0.113.10"]}, "stray": {"network_addresses": ["203.0.113.12"]}}
    inventory = environment(directory / "production", SECRET, hosts)
    file = inventory / "hosts.yml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["all"]["children"]["backup_repository"]["hosts"]["server"] = {}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    wrong = {
        "art32_region": "us-east-1",
        "art32_regions_allowed": ["eu-central-1", "eu-west-2"],
        "network_management": ["0.0.0.0/0", "2000::/3"],
        "services": [SERVICE | {"domain": "192.0.2.77"}],
    }
    (inventory / "group_vars/all/wrong.yml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    return check(directory, {}, inventory=inventory)


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_an_environment_that_contradicts_itself_is_refused(
    contradiction: str, contradictory: tuple[int, list[str]]
) -> None:
    code, said = contradictory
    assert code == 2
    assert any(line.startswith(CONTRADICTIONS[contradiction]) for line in said), said


def test_the_page_shows_how_contradictions_are_refused(contradictory: tuple[int, list[str]]) -> None:
    command = "ansible-playbook -i inventories/production playbooks/check.yml"
    check_page("environments.md", command, message_of("\n".join(contradictory[1])))


def test_a_secret_of_another_environment_is_refused(tmp_path: Path) -> None:
    environment(tmp_path / "staging", SECRET)
    inventory = environment(tmp_path / "production", SECRET)
    for path in (tmp_path / "staging", inventory):
        (path / ".vault-password").write_text(f"password of {path.name}\n", encoding="utf-8")
        vault = VaultLib([("default", VaultSecret(f"password of {path.name}".encode()))])
        file = path / "group_vars/all/vault.yml"
        file.write_bytes(vault.encrypt(file.read_text(encoding="utf-8")))
    code, said = check(tmp_path, {}, inventory=inventory)
    assert code == 2
    assert (
        "vault_backup_cipher_pass: the value (hidden) is not allowed;"
        " a secret of this environment alone; staging has the same"
    ) in said
    assert not [line for line in said if SECRET in line]


def test_an_authority_of_another_environment_is_refused(tmp_path: Path) -> None:
    inventory = environment(tmp_path / "production", "a-secret-of-its-own")
    other = environment(tmp_path / "staging", "another-secret")
    line = yaml.safe_load((inventory / "group_vars/all/access.yml").read_text(encoding="utf-8"))["access_ca_public"]
    (other / ".ssh").mkdir()
    (other / ".ssh/user_ca.pub").write_text(f"{line} under another name\n", encoding="utf-8")
    code, said = check(tmp_path, {}, inventory=inventory)
    assert code == 2
    assert (
        f"access_ca_public: {' '.join(line.split()[:2])} is not allowed;"
        " an authority of this environment alone; staging has the same"
    ) in said


def test_the_oldest_supported_environment_is_accepted(tmp_path: Path) -> None:
    """As version 0.1.0 wrote it: what came later has a default."""
    code, said = check(tmp_path, {}, inventory=ROOT / "tests" / "oldest_environment")
    assert code == 0, said


def test_a_renamed_variable_says_its_present_name() -> None:
    spec = Spec(prefix="sshd_", options={"sshd_trusted_user_ca_keys": {}})
    renamed = {"sshd_ca_keys": {"to": "sshd_trusted_user_ca_keys", "since": "0.2.0"}}
    assert [str(problem) for problem in check_unknown(["sshd_ca_keys"], [spec], renamed)] == [
        "sshd_ca_keys: unknown; it is sshd_trusted_user_ca_keys since version 0.2.0; write its value there",
    ]


def test_no_variable_was_renamed_to_one_that_nobody_knows() -> None:
    renamed = yaml.safe_load((ROOT / "meta" / "renamed.yml").read_text(encoding="utf-8"))
    document = yaml.safe_load((ROOT / "meta" / "environment.yml").read_text(encoding="utf-8"))
    known = {name for entry in document.values() for name in entry["options"]}
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        known |= {name for entry in specs.values() for name in entry.get("options", {})}
    assert {entry["to"] for entry in renamed.values()} <= known
    assert not known & renamed.keys()
