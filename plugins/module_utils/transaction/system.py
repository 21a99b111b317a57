# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask packages, units and commands of the host, all at once."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Answer",
    "UnitState",
    "boot_time",
    "installed_packages",
    "parse_packages",
    "parse_units",
    "query",
    "unit_states",
]

QUERY_SECONDS = 20
_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "InvocationID",
    "NeedDaemonReload",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "ExecReload",
    "ConditionResult",
    "ConditionTimestamp",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said."""

    status: int
    output: str


@dataclass(frozen=True, kw_only=True)
class UnitState:
    """A unit as systemd sees it. Times are seconds since the epoch, None for never."""

    load: str = "not-found"
    active: str = "inactive"
    file_state: str = ""
    invocation: str = ""
    needs_daemon_reload: bool = False
    started: float | None = None
    reloaded: float | None = None
    is_skipped: bool = False
    """Whether it was started in this boot, and its own conditions kept it from running (ConditionVirtualization=)."""

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return self.active in ("active", "reloading")

    @property
    def is_enabled(self) -> bool:
        """Whether it is started at boot, as far as a declaration can say."""
        return self.file_state in ("enabled", "enabled-runtime", "static", "alias", "generated", "indirect", "linked")

    @property
    def is_masked(self) -> bool:
        """Whether it cannot be started."""
        return self.file_state in ("masked", "masked-runtime")


class Question:
    """A command that runs while others do."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it."""
        self.argv = argv
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        try:
            self.process: subprocess.Popen[bytes] | None = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
            )
        except OSError:
            self.process = None

    def answer(self) -> Answer:
        """Wait for it."""
        if self.process is None:
            return Answer(status=127, output=f"{self.argv[0]}: not found")
        try:
            output, errors = self.process.communicate(timeout=QUERY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return Answer(status=124, output=f"{self.argv[0]}: no answer within {QUERY_SECONDS} s")
        text = output if self.process.returncode == 0 else output + errors
        return Answer(status=self.process.returncode, output=text.decode("utf-8", "replace"))


def query(commands: Sequence[Sequence[str]]) -> list[Answer]:
    """Run reading commands side by side."""
    return [question.answer() for question in [Question(command) for command in commands]]


def package_command(names: Sequence[str]) -> list[str]:
    """Give the question for the state of packages."""
    return ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *names]


def parse_packages(output: str) -> dict[str, str]:
    """States of packages by name, `ii` for installed."""
    lines = (line.split() for line in output.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}  # noqa: PLR2004


def installed_packages(names: Sequence[str] = ()) -> dict[str, str]:
    """States of the packages named, of all that dpkg knows by default."""
    return parse_packages(query([package_command(names)])[0].output)


def unit_command(names: Sequence[str]) -> list[str]:
    """Give the question for the state of units."""
    return ["systemctl", "show", "--timestamp=us+utc", f"--property={','.join(_PROPERTIES)}", "--", *names]


def unit_states(names: Sequence[str]) -> dict[str, UnitState]:
    """States of the units named."""
    return parse_units(names, query([unit_command(names)])[0].output) if names else {}


def parse_units(names: Sequence[str], output: str) -> dict[str, UnitState]:
    """Read what `systemctl show` says of several units, in the order asked."""
    blocks = output.strip("\n").split("\n\n")
    return {name: _unit_state(block) for name, block in zip(names, blocks, strict=False)}


def _unit_state(block: str) -> UnitState:
    pairs = [line.split("=", 1) for line in block.splitlines() if "=" in line]
    values = dict(pairs)
    return UnitState(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        file_state=values.get("UnitFileState", ""),
        invocation=values.get("InvocationID", ""),
        needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
        started=_timestamp(values.get("ExecMainStartTimestamp", ""))
        or _timestamp(values.get("ActiveEnterTimestamp", "")),
        reloaded=_reloaded([value for key, value in pairs if key == "ExecReload"]),
        is_skipped=values.get("ConditionResult") == "no" and values.get("ConditionTimestamp", "") != "",
    )


def _reloaded(entries: Sequence[str]) -> float | None:
    """When the last reload began, None when there was none or when it failed."""
    starts = []
    for entry in entries:
        fields = dict(part.strip().split("=", 1) for part in entry.strip("{} ").split(" ; ") if "=" in part)
        start = _timestamp(fields.get("start_time", "").strip("[]"))
        if start is None or fields.get("status") != "0/0":
            return None
        starts.append(start)
    return min(starts, default=None)


def _timestamp(text: str) -> float | None:
    """Read `Mon 2026-11-23 21:25:36.968236 UTC`."""
    words = text.split()
    if len(words) != 4:  # noqa: PLR2004
        return None
    moment = datetime.fromisoformat(f"{words[1]}T{words[2]}")
    return moment.replace(tzinfo=UTC).timestamp()


def boot_time() -> float:
    """When the first process started, in seconds since the epoch; in a container its own, not the machine's."""
    text = Path("/proc/1/stat").read_text(encoding="utf-8", errors="replace")
    started = int(text[text.rindex(")") + 2 :].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + started
