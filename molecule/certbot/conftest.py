"""The directory, and which of the long tests are tried this time: a sample by ART32_SEED, or all with ART32_TLS=all."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from directory import NAME, Directory, make_due, register_again
from matrix import CELLS, FAULTS

from tests.resumable import CHECKOUT, Resumable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from directory import Module

    from controls.environment import Environment
    from controls.machine import Machine

MATRIX = Resumable(
    name="tls",
    variable="ART32_TLS",
    tests=("test_certbot.py", "test_issuing.py", "test_scanners.py", "test_trouble.py"),
    paths=("plugins", "roles/nginx", "roles/certbot", "molecule/certbot", "molecule/nginx", "molecule/resources"),
)


def pytest_report_header() -> list[str]:
    """Say which sample this is."""
    return [f"certbot: {'everything' if MATRIX.is_whole else f'a sample, ART32_SEED={MATRIX.seed}'}"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "long: takes minutes; tried with ART32_TLS=all alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the long tests their cases."""
    choice = random.Random(MATRIX.seed)  # noqa: S311 - a sample
    for name, cases in (("cell", CELLS), ("fault", FAULTS)):
        if name in metafunc.fixturenames:
            few = [case for case in cases if case.is_quick]
            chosen = cases if MATRIX.is_whole else choice.sample(few, 1)
            metafunc.parametrize(name, chosen, ids=[str(case) for case in chosen])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, or passed already; what starts the directory anew, with another root, comes last."""
    MATRIX.leave_out_passed(config, items)
    left = [] if MATRIX.is_whole else [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left)
    items[:] = sorted((item for item in items if item not in left), key=lambda item: "test_trouble" in item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what passed, and how many seconds it took."""
    MATRIX.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """When everything has passed with one tree, keep that as a dated result."""
    passed = MATRIX.passed()
    cells, faults = sum("[nonce-" in name for name in passed), sum("test_a_fault" in name for name in passed)
    if exitstatus or session.config.option.keyword or (cells, faults) != (len(CELLS), len(FAULTS)):
        return
    details = {
        "cells": cells,
        "faults": faults,
        "passed": len(passed),
        "seconds": {name.partition("::")[2]: seconds for name, seconds in passed.items() if seconds >= 10},
    }
    MATRIX.write_result("certificates under a hostile directory, and scanners", details)


@pytest.fixture(scope="session")
def directory(declaration: Environment) -> Directory:
    """Pebble."""
    return Directory(container=f"{declaration.get('testhosts_prefix')}-acme")


def run_ansible(declaration: Environment, program: str, *words: str) -> str:
    """Run one of Ansible's programs as the operator of these hosts would; what it says."""
    argv = [
        *(str(Path(sys.executable).with_name(program)), "-i", str(declaration.directory)),
        *("--user", "admin", "--private-key", str(declaration.directory.parent / "cloud" / "first_key"), *words),
    ]
    settings = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    done = subprocess.run(argv, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def converge(declaration: Environment) -> Callable[..., str]:
    """Runs the roles as converge did, with further words on the command line."""
    playbook = str(Path(__file__).with_name("converge.yml"))
    return lambda *words: run_ansible(declaration, "ansible-playbook", playbook, *words)


@pytest.fixture(scope="session")
def ask(declaration: Environment, server: Machine) -> Module:
    """Runs the module on the server for one certificate, as a task would; what it answers."""

    def call(name: str = NAME, *, check: bool = False, **options: object) -> dict[str, Any]:
        given = {
            "directory": server.variable("certbot_directory_url"),
            "ca_bundle": "/etc/letsencrypt/ca-bundle.pem",
            "certificates": [{"name": name, "domains": options.pop("domains", [name])}],
            **options,
        }
        words = ["-m", "art32.server.certificate", "-a", json.dumps(given), *(["--check"] if check else [])]
        told = run_ansible(declaration, "ansible", "server", "--become", *words)
        assert "=> {" in told, told
        return dict(json.JSONDecoder().raw_decode(told, told.index("=> ") + 3)[0])

    return call


@pytest.fixture
def due(server: Machine) -> Iterator[None]:
    """The certificate is due for renewal, by its own settings."""
    make_due(server, due=True)
    yield
    make_due(server, due=False)


@pytest.fixture
def changed_directory(directory: Directory, server: Machine) -> Iterator[Directory]:
    """Pebble, which the test may start anew; afterwards it is as it was, and knows the server's account."""
    yield directory
    directory.restart()
    register_again(server)


@pytest.fixture(scope="module")
def root(visitor: Machine) -> str:
    """The authority's root on the visitor's machine."""
    visitor.check_output("curl -skf -o /tmp/root.pem https://acme.example.test:15000/roots/0")
    return "/tmp/root.pem"  # noqa: S108 - on a test host


@pytest.fixture
def name() -> str:
    """The first service's name."""
    return NAME
