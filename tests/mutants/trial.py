"""What the audit finds on a host, and what a run of the roles changes there."""

from __future__ import annotations

__all__ = ["Repair", "audit", "repair"]

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT = Path(__file__).parents[2]
SECONDS = 300
OPEN = re.compile(r"(\S+) on (\S+): ")
TASK = re.compile(r"TASK \[art32\.server\.(\w+) : (?:\w+ \| )?(.*?)\]")
CHANGED = re.compile(r"changed: \[\S+\] => (\{.*\})$")


@dataclass(frozen=True, kw_only=True)
class Repair:
    """How a run ended, and its changes, each with the role that made it."""

    status: int
    output: str
    changes: tuple[tuple[str, str], ...]


def audit(environment: Path, areas: Sequence[str], host: str, bundle: Path) -> dict[str, list[str]]:
    """The controls of a host that are open, each with what the checks of these areas said; checks write nothing."""
    files = [str(CHECKOUT / "controls" / f"test_{area}.py") for area in areas]
    options = [f"--environment={environment}", f"--evidence={bundle}", "-q", "-p", "no:cacheprovider"]
    settings = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", *options, *files]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (bundle / "open.json").exists(), done.stdout + done.stderr
    found: dict[str, list[str]] = {}
    for line in json.loads((bundle / "open.json").read_text(encoding="utf-8")):
        said = OPEN.match(line)
        if said and said[2] == host:
            found.setdefault(said[1], []).append(line)
    return found


def repair(environment: Path, playbook: Path) -> Repair:
    """Run the roles."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-v", "-i", str(environment), str(playbook)]
    settings = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    changes, role, name = [], "", ""
    for line in done.stdout.splitlines():
        task, changed = TASK.match(line), CHANGED.match(line)
        role, name = task.groups() if task else (role, name)
        if changed:
            told = json.loads(changed[1])
            changes += [(role, change) for change in told.get("changes") or told.get("steps") or [name]]
    return Repair(status=done.returncode, output=done.stdout + done.stderr, changes=tuple(changes))
