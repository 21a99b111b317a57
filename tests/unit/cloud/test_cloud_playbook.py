"""The playbook on a real environment, against moto's server: plan, make, find the machines, end."""

from __future__ import annotations

import json
import os
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pages import check_page, message_of, task_of

ROOT = Path(__file__).parents[3]
SECONDS = 240
CLOUD = "playbooks/cloud.yml"


SHOWN = f"ansible-playbook -i inventories/production {CLOUD}"


def run(*words: str) -> tuple[int, str]:
    command = [words[0], *words[1:]]
    environment = dict(os.environ) | {"ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, env=environment, timeout=SECONDS
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def environment(tmp_path: Path, image: str) -> Path:
    answers = {
        "domain": "platform.provider.example",
        "contact": "privacy@provider.example",
        "provider_name": "Provider GmbH",
        "region": "eu-central-1",
        "management": ["198.51.100.5/32"],
        "cloud": "aws",
        "bucket": "provider-production-backups",
        "first_key": str(tmp_path / "first_key"),
        "operator": {"name": "jane", "email": "jane@provider.example"},
        "variables": {"cloud": {"cloud_image": image, "cloud_wait_seconds": 0}},
    }
    (tmp_path / "answers.yml").write_text(yaml.safe_dump({"answers": answers}), encoding="utf-8")
    words = ["-e", "env=production", "-e", f"destination={tmp_path}/production", "-e", f"@{tmp_path}/answers.yml"]
    code, said = run("ansible-playbook", "-i", "localhost,", "playbooks/bootstrap.yml", *words)
    assert code == 0, said
    return tmp_path / "production"


def inventory(environment: Path) -> dict[str, Any]:
    code, said = run("ansible-inventory", "-i", str(environment), "--list")
    assert code == 0, said
    # What is warned of stands behind the document; what AWS said is marked as unsafe.
    decoder = json.JSONDecoder(object_hook=lambda item: item.get("__ansible_unsafe", item))
    return dict(decoder.raw_decode(said)[0]["_meta"]["hostvars"])


def test_three_steps_and_the_end_as_the_page_shows_them(environment: Path) -> None:
    play = ("ansible-playbook", "-i", str(environment), CLOUD)
    code, said = run(*play, "--check")
    assert code == 0, said
    assert "create instance server: t3.small, 20 GiB encrypted, metadata by token only" in said
    assert "network_addresses" not in inventory(environment)["server"]
    check_page("cloud.md", f"{SHOWN} --check", task_of(said, "Tell the plan"))

    code, said = run(*play)
    assert code == 0, said
    found = inventory(environment)
    assert sorted(found) == ["backup", "server"]
    for host in found.values():
        assert host["network_addresses"][0] == host["ansible_host"]
        assert ":" in host["network_addresses"][1]
    code, said = run("ansible-playbook", "-i", str(environment), "playbooks/check.yml")
    assert code == 0, said

    code, said = run(*play)
    assert code == 0, said
    assert "Nothing differs." in said
    check_page("cloud.md", SHOWN, task_of(said, "Tell the plan"))

    for _ in range(2):
        code, said = run(*play, "-e", "cloud_state=snapshot", "-e", "cloud_snapshots=1")
        assert code == 0, said
    check_page("cloud.md", f"{SHOWN} -e cloud_state=snapshot -e cloud_snapshots=1", task_of(said, "Tell the plan"))

    for confirm in ([], ["-e", "confirm=staging"]):
        code, said = run(*play, "-e", "cloud_state=absent", *confirm)
        assert code == 2
        assert "is not allowed; production, the environment that is to end (-e confirm=...)" in said
        check_page("cloud.md", " ".join([SHOWN, "-e cloud_state=absent", *confirm]), message_of(said))
    assert "network_addresses" in inventory(environment)["server"]

    code, said = run(*play, "-e", "cloud_state=absent", "-e", "confirm=production")
    assert code == 0, said
    check_page("cloud.md", f"{SHOWN} -e cloud_state=absent -e confirm=production", task_of(said, "Tell the plan"))
    assert "network_addresses" not in inventory(environment)["server"]


def test_a_region_that_is_not_allowed_is_refused_before_aws_is_asked(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (environment / "aws_ec2.yml").unlink()
    words = ["-e", "art32_region=us-east-1"]
    code, said = run("ansible-playbook", "-i", str(environment), CLOUD, "--check", *words)
    assert code == 2
    assert "art32_region: us-east-1 is not allowed; eu-central-1 (art32_regions_allowed)" in said


def test_machines_of_another_region_are_not_found(environment: Path, endpoint: str) -> None:
    boto3: Any = import_module("boto3")
    elsewhere = boto3.client("ec2", region_name="eu-west-1", endpoint_url=endpoint)
    tags = [{"Key": "art32_environment", "Value": "production"}, {"Key": "art32_host", "Value": "server"}]
    image = elsewhere.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    specification = [{"ResourceType": "instance", "Tags": tags}]
    elsewhere.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specification)
    assert "network_addresses" not in inventory(environment)["server"]
