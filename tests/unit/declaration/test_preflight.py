"""What playbooks/check.yml, the first step of the site, refuses in a real environment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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
