"""AWS as moto's server has it: a real endpoint, one for each test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import requests
from ansible_collections.art32.server.plugins.module_utils.cloud.model import Declaration, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

# Neither boto3 nor its clients have types.
Client = Any
boto3: Any = import_module("boto3")
REGION = "eu-central-1"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYdqXYThD6FFUjB4DgtouWsEVxYF+M9g2YEuTeUqjz9 first"
GROUPS = {"all": ["server", "backup"], "web": ["server"], "database": ["server"], "backup_repository": ["backup"]}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The endpoint's URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "true"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{url}/moto-api/", timeout=5).raise_for_status()
        except requests.RequestException:
            assert process.poll() is None, "moto's server ended"
            assert time.monotonic() < end, "moto's server does not answer"
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def endpoint(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An account with nothing in it."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{server}/moto-api/reset", timeout=30).raise_for_status()
    return server


@pytest.fixture
def ec2(endpoint: str) -> Client:
    """EC2's client."""
    return boto3.client("ec2", region_name=REGION, endpoint_url=endpoint)


@pytest.fixture
def s3(endpoint: str) -> Client:
    """S3's client."""
    return boto3.client("s3", region_name=REGION, endpoint_url=endpoint)


@pytest.fixture
def s3_elsewhere(endpoint: str) -> Client:
    """S3's client in a region that is not the environment's."""
    return boto3.client("s3", region_name="eu-west-2", endpoint_url=endpoint)


@pytest.fixture
def image(ec2: Client) -> str:
    """An image that exists."""
    return str(ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"])


@pytest.fixture
def wanted(image: str) -> Declaration:
    """An environment of two machines."""
    return Declaration(
        environment="production",
        region=REGION,
        machines=tuple(Machine(name=name, instance_type="t3.small", volume_gib=20) for name in ("server", "backup")),
        image=image,
        network="10.32.0.0/24",
        subnet_id="",
        public_key=PUBLIC_KEY,
        bucket="provider-production-backups",
        lock_days=30,
        management=["198.51.100.5/32", "2001:db8:32::5/128"],
        exposure=[
            {"service": "ssh", "port": 22, "from": "anywhere", "on": "all"},
            {"service": "https", "port": 443, "from": "anywhere", "on": "web"},
            {"service": "postgresql", "port": 5432, "from": "management", "on": "database"},
            {"service": "metrics", "port": 9100, "from": "group:backup_repository", "on": "web"},
        ],
        groups=GROUPS,
        addresses={},
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the checks, which are called here as functions."""
    config.addinivalue_line("markers", "control(id, kind): this test is a check of a control of the catalogue")
