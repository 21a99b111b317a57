"""What the audit finds on a host, and what a run of the roles changes there."""

from __future__ import annotations

__all__ = ["Console", "Repair", "audit", "repair"]

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests import audits
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controls.environment import Environment

SECONDS = 300
OPEN = re.compile(r"(\S+) on (\S+): ")
TASK = re.compile(r"TASK \[art32\.server\.(\w+) : (?:\w+ \| )?(.*?)\]")
CHANGED = re.compile(r"changed: \[\S+\] => (\{.*\})$")


@dataclass(frozen=True)
class Console:
    """A machine's console, which works when nobody gets in."""

    declaration: Environment
    host: str

    def __call__(self, script: str) -> str:
        """What a script for the shell prints; it has to succeed."""
        command = ["podman", "exec", "-i", f"{self.declaration.get('testhosts_prefix')}-{self.host}", "sh", "-es"]
        settings = {**os.environ, "CONTAINERS_CONF": str(CHECKOUT / "molecule" / "resources" / "containers.conf")}
        done = subprocess.run(command, input=script, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout


@dataclass(frozen=True, kw_only=True)
class Repair:
    """How a run ended, and its changes, each with the role that made it."""

    status: int
    output: str
    changes: tuple[tuple[str, str], ...]


def audit(
    environment: Path, host: str, bundle: Path, *, areas: Sequence[str] = (), elsewhere: bool = False
) -> dict[str, list[str]]:
    """The controls of a host that are open, each with what the checks of these areas, or all, said.

    Those of other hosts are among them when they are asked for, as `CONTROL on HOST`. The checks write nothing.
    """
    audits.run(environment, bundle, areas=areas)
    found: dict[str, list[str]] = {}
    for line in json.loads((bundle / "open.json").read_text(encoding="utf-8")):
        said = OPEN.match(line)
        if said and (said[2] == host or elsewhere):
            name = said[1] if said[2] == host else f"{said[1]} on {said[2]}"
            found.setdefault(name, []).append(line)
    return found


def repair(environment: Path, *playbooks: Path, **variables: str) -> Repair:
    """Run the roles."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-v", "-i", str(environment)]
    command += [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    command += map(str, playbooks)
    # Molecule asks for colours, whatever else is asked for.
    settings = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
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
