"""What a container engine publishes goes past the declaration; the audit does not let it pass unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.environment import Environment
    from controls.machine import Machine

CHECKOUT = Path(__file__).parents[2]
CHECK = "controls/test_network.py::test_nothing_is_published_past_the_firewall"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How a container that serves at port 8080 is started and removed, and where its translations are seen."""

    start: str
    stop: str
    rules: str


# In a test host the kernel's settings are read-only, as are its control groups, and there is no layered storage.
BOX = """
mount -o remount,rw /proc/sys
mkdir -p /srv/box/bin
cp --remove-destination /bin/busybox /srv/box/bin/
"""
SERVE = "/bin/busybox httpd -f -p 80 -h /"
PODMAN = "podman --runtime crun --storage-driver vfs"
ENGINES = {
    "podman": Engine(
        start=f"{PODMAN} run --detach --cgroups=disabled --ulimit host --name published --publish 8080:80"
        f" --rootfs /srv/box {SERVE}",
        stop=f"{PODMAN} rm --force --time 0 published",
        rules="nft list ruleset",
    ),
    # Docker's own runtime wants control groups; crun does without.
    "docker": Engine(
        start="printf '#!/bin/sh\nexec crun --cgroup-manager=disabled \"$@\"\n' >/usr/local/bin/plain\n"
        "chmod +x /usr/local/bin/plain\n"
        "mkdir -p /etc/docker\n"
        'echo \'{"runtimes": {"plain": {"path": "/usr/local/bin/plain"}}}\' >/etc/docker/daemon.json\n'
        "systemctl reset-failed docker.service\n"
        "systemctl restart docker.service\n"
        "tar -C /srv/box -c . | docker import - box\n"
        f"docker run --detach --runtime plain --name published --publish 8080:80 box {SERVE}",
        stop="docker rm --force published; systemctl stop docker.socket docker.service",
        rules="iptables-save",
    ),
}
ENGINE = ENGINES[os.environ["ART32_ENGINE"]]


@pytest.fixture
def published(server: Machine) -> Iterator[str]:
    """A container that serves at port 8080."""
    server.check_output("sh -euc %s", BOX + ENGINE.start)
    yield "8080"
    server.check_output("sh -euc %s", ENGINE.stop)


def audited(declaration: Environment) -> tuple[int, str]:
    """The one check, as the audit makes it: its exit code and what it says."""
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", f"--environment={declaration.directory}", CHECK]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nothing_is_said_without_a_container(declaration: Environment) -> None:
    code, said = audited(declaration)
    assert code == 0, said


def test_port_of_a_container_is_named(declaration: Environment, published: str) -> None:
    code, said = audited(declaration)
    assert code == 1
    assert f"publishes past the firewall: port {published}" in said


def test_loader_leaves_the_engine_its_rules(server: Machine, published: str) -> None:
    count = f"{ENGINE.rules} | grep -ci dnat"
    before = server.check_output(count)
    server.check_output("/usr/local/lib/art32/firewall load")
    assert server.check_output(count) == before
    assert server.check_output("/usr/local/lib/art32/firewall compare") == ""
