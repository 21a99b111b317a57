# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take over a release: build, migrate, check beside the old one, switch, restart, and go back when it fails."""

from __future__ import annotations

__all__ = ["Deployment", "inspect", "retire", "retired"]

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.art32.server.plugins.module_utils.virtualenv import Specification, VirtualenvError, build

from . import guard, maintenance
from .database import may_login, revoke_login
from .model import ReleaseError, State, Step, Wanted, steps
from .place import ROOT, UNITS, Place
from .resume import end_migration, serve_again
from .units import Running, asked, last_words, order, program_unit, unit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


# How long a process has to run for its start to count.
SETTLED_SECONDS = 3


def inspect(wanted: Wanted, running: Mapping[str, Running], *, root: Path = ROOT, units: Path = UNITS) -> State:
    """Find a service's state."""
    place = Place(wanted.name, root)
    note = place.note(wanted.release)
    now = running.get(wanted.name, Running())
    return State(
        built=bool(note),
        migrated=bool(note.get("migrated")),
        current=place.linked("current"),
        running=now.release,
        is_listening=now.is_listening,
        owner_may_login=place.owner_login.exists(),
        in_maintenance=maintenance.is_on(wanted.name),
        processes=now.processes,
        undeclared=_undeclared(wanted, units),
    )


def _undeclared(wanted: Wanted, units: Path) -> tuple[str, ...]:
    """Units of programs that are declared no longer, timers before what they start."""
    jobs = {program_unit(wanted.name, job, suffix) for job in wanted.jobs for suffix in ("timer", "service")}
    declared = jobs | {program_unit(wanted.name, process) for process in wanted.processes}
    return tuple(name for name in _programs_of(wanted.name, units) if name not in declared)


def _programs_of(name: str, units: Path) -> list[str]:
    there = [path.name for suffix in ("timer", "service") for path in units.glob(f"art32-{name}.*.{suffix}")]
    return sorted(there, key=lambda one: (not one.endswith(".timer"), one))


def retired(names: Collection[str], *, root: Path = ROOT, units: Path = UNITS) -> list[str]:
    """Services that have releases and units here and are no longer declared."""
    known = sorted(path.parent.name for path in root.glob("*/releases"))
    return [name for name in known if name not in names and any((units / u).exists() for u in _units_of(name))]


def retire(name: str, *, units: Path = UNITS) -> None:
    """End a service: its units go, its releases and their record stay."""
    _end([*_programs_of(name, units), *(entry for entry in _units_of(name) if (units / entry).exists())], units)


def _end(names: Iterable[str], units: Path) -> None:
    """Stop units and remove them."""
    for name in names:
        order("stop", name)
        order("disable", name)
        (units / name).unlink()
    order("daemon-reload")


def _units_of(name: str) -> list[str]:
    sockets = [unit(name, suffix="socket"), unit(name, "-candidate", "socket")]
    return [*sockets, unit(name), unit(name, "-candidate"), unit(name, "-migrate")]


@dataclass(kw_only=True)
class Deployment:
    """One service on its way to a release."""

    wanted: Wanted
    state: State
    by: str
    keep: int
    root: Path = ROOT
    units: Path = UNITS
    result: str = "released"
    reason: str = ""
    maintenance: float = 0
    is_done: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def place(self) -> Place:
        """Where the service's releases lie."""
        return Place(self.wanted.name, self.root)

    def run(self) -> tuple[Step, ...]:
        """Take the steps that are due. Raises ReleaseError; what served before then serves still, or again."""
        due = steps(self.wanted, self.state)
        taken: Mapping[Step, Any] = {
            "repair": self._repair,
            "build": self._build,
            "migrate": self._migrate,
            "check": self._check,
            "switch": self._switch,
            "restart": self._restart,
            "processes": self._restart_processes,
            "tidy": self._tidy,
        }
        try:
            for step in due:
                taken[step]()
            self.is_done = True
            self._finish(due)
        except (ReleaseError, VirtualenvError, OSError) as error:
            raise ReleaseError("\n".join([self._complaint(error), *self._left(error)])) from error
        finally:
            self.place.unlink("candidate")
            maintenance.end(self.wanted.name)
        return due

    def _left(self, error: Exception) -> list[str]:
        """Let what served before serve, and write the refusal down; what of that fails is told too."""
        told: list[str] = []
        if self.is_done:
            return told
        if self.maintenance:
            try:
                serve_again(self.place, self._processes())
            except ReleaseError as second:
                told.append(f"The release before does not start either: {second}")
        try:
            # Refused releases do not pile up; this one is kept for another try.
            self.place.prune(keep=self.keep, spare=(self.wanted.release, self.state.current))
            self._record("refused", error=str(error).splitlines()[0])
        except OSError as second:
            told.append(f"This could not be recorded: {second}")
        return told

    def _repair(self) -> None:
        """End what a killed release left behind."""
        end_migration(self.wanted.name, units=self.units)
        if self.state.owner_may_login:
            revoke_login(self.place.owner_login)

    def _build(self) -> None:
        inputs = Path(self.wanted.inputs)
        spec = Specification(
            requirements=(inputs / "requirements.txt").read_text(encoding="utf-8"),
            wheels=tuple(map(str, inputs.glob("*.whl"))),
        )
        build(self.place.release(self.wanted.release), spec)
        self._note({})

    def _migrate(self) -> None:
        """Once for each release, by its own code, before it serves."""
        self.place.link("candidate", self.wanted.release)
        migration = unit(self.wanted.name, "-migrate")
        guard.stand_by(self.wanted.name, directory=self.units)
        with may_login(self.wanted.owner, self.place.owner_login):
            try:
                order("restart", migration)
            except ReleaseError:
                if asked(migration, "ExecMainStatus") != [maintenance.NEEDED]:
                    raise
                self._stop_for_maintenance()
                order("restart", migration)
        self._note({"migrated": True})

    def _stop_for_maintenance(self) -> None:
        """The migration said that it cannot run beside the service. The socket stays open; nginx answers 503."""
        self.maintenance = time.monotonic()
        maintenance.begin(self.wanted.name)
        jobs = [program_unit(self.wanted.name, job) for job in self.wanted.jobs]
        order("stop", unit(self.wanted.name), *self._processes(), *jobs)

    def _check(self) -> None:
        """Start the release beside the one that serves; its unit starts only when it is healthy."""
        candidate = unit(self.wanted.name, "-candidate")
        self.place.link("candidate", self.wanted.release)
        try:
            order("restart", candidate)
        finally:
            order("stop", candidate, unit(self.wanted.name, "-candidate", "socket"))

    def _switch(self) -> None:
        self.place.link("current", self.wanted.release)

    def _restart(self) -> None:
        """Restart on the open socket: requests wait there meanwhile. The unit starts only when it is healthy."""
        try:
            self._restart_units()
        except ReleaseError as error:
            try:
                self._return()
            except ReleaseError as second:
                raise ReleaseError(f"{error}\nThe release before does not start either: {second}") from error
            raise

    def _restart_units(self) -> None:
        service, listener = unit(self.wanted.name), unit(self.wanted.name, suffix="socket")
        order("reset-failed", f"art32-{self.wanted.name}.*")
        if not self.state.is_listening:
            order("stop", service)
            order("start", listener)
        order("restart", service)

    def _processes(self) -> list[str]:
        return [program_unit(self.wanted.name, process) for process in self.wanted.processes]

    def _restart_processes(self) -> None:
        """Restart the further processes; one that does not keep running makes the release a bad one."""
        maintenance.end(self.wanted.name)
        try:
            self._settle()
        except ReleaseError as error:
            try:
                self._return()
                order("restart", *self._processes())
            except ReleaseError as second:
                raise ReleaseError(f"{error}\nThe release before does not start either: {second}") from error
            raise

    def _settle(self) -> None:
        began = time.time()
        order("restart", *self._processes())
        started = {name: asked(name, "MainPID") for name in self._processes()}
        time.sleep(SETTLED_SECONDS)
        for name, process in started.items():
            state, *now = asked(name, "ActiveState", "MainPID")
            if state != "active" or now != process:
                raise ReleaseError(f"{name} does not keep running ({state})\n{last_words(name, began)}")

    def _tidy(self) -> None:
        """End the units of programs that are declared no longer."""
        _end(self.state.undeclared, self.units)

    def _return(self) -> None:
        """Let the release before serve again; where there is none, stop."""
        previous = self.state.current
        if previous == self.wanted.release:
            return
        if previous and self.place.note(previous):
            self.place.link("current", previous)
            self._restart_units()
            return
        order("stop", unit(self.wanted.name, suffix="socket"))
        order("stop", unit(self.wanted.name))
        self.place.unlink("current")

    def _note(self, news: Mapping[str, Any]) -> None:
        known = self.place.note(self.wanted.release) or {"release": self.wanted.release, "source": self.wanted.source}
        self.place.write_note(self.wanted.release, {**known, **news})

    def _finish(self, due: tuple[Step, ...]) -> None:
        if "switch" in due:
            self._note({"released": datetime.now(UTC).isoformat(), "withdrawn": None})
            self._record(self.result, **({"reason": self.reason} if self.reason else {}))
        self.place.prune(keep=self.keep, spare=(self.wanted.release, self.state.current))

    def _record(self, result: str, **more: str) -> None:
        self.place.home.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.place.record(
            {
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "by": self.by,
                "result": result,
                "release": self.wanted.release,
                "previous": self.state.current,
                "source": self.wanted.source,
                "seconds": round(time.monotonic() - self.began, 1),
                **({"maintenance_seconds": round(time.monotonic() - self.maintenance, 1)} if self.maintenance else {}),
                **more,
            }
        )

    def _complaint(self, error: Exception) -> str:
        serving = self.place.linked("current")
        if self.is_done:
            return f"{self.wanted.name}: release {serving} serves, but this could not be written down: {error}"
        now = f"release {serving} serves" if serving and serving != self.wanted.release else "nothing else serves"
        return f"{self.wanted.name}: release {self.wanted.release} ({self.wanted.source}) is refused, {now}: {error}"
