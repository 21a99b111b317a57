"""The pytest plugin of the controls: `python -m pytest -p controls.plugin --environment inventories/demo controls`.

Fixtures give the environment's hosts: `managed` (every host the collection configures), `server` (those of the groups
database, web or app), `database`, `web`, `app`, `backup`, `management` and `visitor`. The first managed one that a test
asks for is its subject: the test runs once for each such host, and is reported with it.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .catalogue import load
from .environment import DECLARATION, Environment, EnvironmentError_, read, recalled
from .evidence import Evidence, NotAssessedError, Store
from .history import CHANGES, changes, earlier
from .machine import Lab, Machine
from .marks import KINDS
from .report import write_bundle
from .seal import SealError
from .sources import LATER, fill
from .verdict import Check, Exceptions, Status, combine

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from .scans import Scans

SUBJECTS = ("managed", "server", "database", "web", "app", "backup")
VANTAGES = ("management", "visitor")
# What checks wait for longest: the others come before, meanwhile.
CHOICES: Mapping[str, Sequence[str]] = {
    "observe": ("observe",),
    "scan": ("observe", "scan"),
    "exercise": ("observe", "exercise"),
    "all": KINDS,
}
AWAITED = ("scans", "told")
LONGEST_REASON = 500


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the environment, where to put evidence, and which kinds of checks to run."""
    group = parser.getgroup("controls")
    group.addoption("--environment", type=Path, metavar="DIR", help="directory of the environment's inventory")
    group.addoption("--inventory-from", type=int, metavar="FD", help="what ansible-inventory says of it, read before")
    group.addoption("--evidence", type=Path, metavar="DIR", help="write report and raw outputs here")
    group.addoption("--replay", type=Path, metavar="DIR", help="judge again what this bundle of an audit kept")
    group.addoption(
        "--kinds", choices=tuple(CHOICES), default="observe", help="which checks besides those that observe"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the session's recorder when there is an environment."""
    config.addinivalue_line("markers", "control(id, kind): this test is a check of a control of the catalogue")
    if config.getoption("environment") or config.getoption("replay"):
        config.pluginmanager.register(Session(config), "controls-session")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each host that its subject stands for."""
    session = metafunc.config.pluginmanager.get_plugin("controls-session")
    subject = next((name for name in metafunc.fixturenames if name in SUBJECTS), None)
    if session and subject:
        hosts = session.environment.hosts(subject)
        metafunc.parametrize(subject, hosts or [None], ids=hosts or ["none"], indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks of a kind that was not asked for, and let those that have to wait come last."""
    left_out = [item for item in items if _kind(item) not in CHOICES[config.getoption("kinds")]]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    if all(any(item.iter_markers("control")) for item in items):
        items.sort(key=lambda item: max((AWAITED.index(name) + 1 for name in AWAITED if _needs(item, name)), default=0))


class Session:
    """Follows the checks of one session: which evidence each used, and what it found."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the declaration; hosts are asked later."""
        self.began = datetime.now(tz=UTC)
        replayed: Path | None = config.getoption("replay")
        self.bundle: Path | None = None if replayed else config.getoption("evidence")
        self._scratch = None if self.bundle or replayed else tempfile.TemporaryDirectory(prefix="art32-evidence-")
        if replayed:
            self.began, self.environment, self.store = _recalled(replayed)
        else:
            self.environment = _environment(config.getoption("environment"), config.getoption("inventory_from"))
            self.store = Store(self.bundle or Path(str(self._scratch and self._scratch.name)))
        self.exceptions = Exceptions(
            waivers=self.environment.get("audit_waivers", []),
            not_assessable=self.environment.get("audit_not_assessable", []),
            today=self.began.date(),
        )
        self.store.on_use(self._used)
        self.lab = Lab(self.environment, self.store, kept_only=replayed is not None)
        self.checks: list[Check] = []
        self._evidence: list[str] = []

    def _used(self, evidence: Evidence) -> None:
        if evidence.path not in self._evidence:
            self._evidence.append(evidence.path)

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Ask all hosts that are checked, at once, before the first check."""
        if session.config.option.collectonly or self.lab.kept_only:
            return
        checked = [item for item in session.items if any(item.iter_markers("control"))]
        if checked:
            self.lab.collect({host for host in map(_subject, checked) if host in self.environment.managed})
        if any(_needs(item, "scans") for item in checked):
            _ = self.lab.scans  # they take seconds, in which the other checks run

    def pytest_runtest_setup(self) -> None:
        """Begin a check without evidence."""
        self._evidence = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record what a check found, and let pytest show waived and expected gaps as skipped."""
        report = yield
        if call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return report
        found = [self._check(item, marker, call) for marker in item.iter_markers("control")]
        self.checks += found
        if found and not report.passed:
            self._soften(report, found, item)
        return report

    def _check(self, item: pytest.Item, marker: pytest.Mark, call: pytest.CallInfo[None]) -> Check:
        status, reason = _outcome(call)
        host, name = _subject(item), _title(item)
        if not self._evidence and not self.lab.kept_only:
            if status == "met":
                status, reason = "not assessed", "the check rests on no output, so it proves nothing"
            self._declare(f"{marker.args[0]} {host or 'no host'} {name}", host, reason)
        check = Check(
            control=marker.args[0],
            host=host,
            name=name,
            status=status,
            reason=reason,
            kind=_kind(item),
            evidence=tuple(self._evidence),
        )
        return self.exceptions.apply(check)

    def _declare(self, check: str, host: str | None, reason: str) -> None:
        """Where nothing was asked of anybody, the declaration is why: keep which of the named variables it has."""
        named = re.findall(r"\((\w+)\)", reason)
        declared = {name: self.environment.get(name, host=host) is not None for name in named}
        self.lab.declared(check, reason=reason, declared=declared)

    def _soften(self, report: pytest.TestReport, found: list[Check], item: pytest.Item) -> None:
        accepted = all(
            check.status == "waived" or (check.status == "not assessed" and self.exceptions.expects(check))
            for check in found
        )
        reason = "; ".join(f"{check.control} {check.status}: {check.reason}" for check in found)
        if accepted:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {reason}")
        elif all(check.status == "not assessed" for check in found):
            report.longrepr = reason

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the bundle and end the connections; a session that was broken off proves nothing."""
        is_whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self.bundle and is_whole and not session.config.option.collectonly:
            self._ask_who(self.bundle)
            self._write_bundle(session.config.option.kinds)
        self.lab.close()
        if self._scratch:
            self._scratch.cleanup()

    def _ask_who(self, bundle: Path) -> None:
        """Where a verdict is another one than at the audit before, let the host's logs tell who was there since."""
        for last in earlier(bundle)[-1:]:
            found = [
                {"id": verdict.control, "host": verdict.host, "status": verdict.status}
                for verdict in combine(self.checks, load())
            ]
            hosts = {change.host for change in changes(last, {"controls": found}) if change.host}
            line = fill(LATER[CHANGES], since=f"{datetime.fromisoformat(last['time']).timestamp():.0f}")
            for host in sorted(hosts & set(self.environment.managed)):
                with suppress(NotAssessedError):
                    self.lab.machine(host).fetch_all({CHANGES: line})

    def _write_bundle(self, kinds: str) -> None:
        self.lab.settle()
        try:
            write_bundle(
                self.environment,
                checks=self.checks,
                exceptions=self.exceptions,
                store=self.store,
                time=self.began,
                kinds=kinds,
            )
        except SealError as error:
            raise pytest.UsageError(f"The bundle cannot be sealed: {error}") from error


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """What all checks of a session share."""
    session = request.config.pluginmanager.get_plugin("controls-session")
    if session is None:
        raise pytest.UsageError("--environment DIR is needed: the directory of the environment's inventory")
    return session.lab  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def scans(lab: Lab) -> Scans:
    """What answers of every host from every vantage host."""
    return lab.scans


@pytest.fixture(scope="session")
def declaration(lab: Lab) -> Environment:
    """What the environment declares."""
    return lab.environment


def _machine_fixture(part: str) -> Any:  # noqa: ANN401 - pytest's own type is private
    """A fixture for the hosts of one part: the subject's host, or else the first of the part."""

    @pytest.fixture(scope="session", name=part)
    def machine(request: pytest.FixtureRequest, lab: Lab) -> Machine:
        hosts = lab.environment.hosts(part)
        name = getattr(request, "param", None) or next(iter(hosts), None)
        if name is None:
            raise NotAssessedError(f"the environment declares no host for {part}")
        return lab.machine(name)

    return machine


managed, server, database, web, app, backup = map(_machine_fixture, SUBJECTS)
management, visitor = map(_machine_fixture, VANTAGES)


@pytest.fixture
def now(request: pytest.FixtureRequest, lab: Lab) -> datetime:
    """The time of the audit, at which everything is judged, now or later."""
    session: Any = request.config.pluginmanager.get_plugin("controls-session")
    began: datetime = session.began
    return began


def _environment(directory: Path, inventory: int | None) -> Environment:
    directory = directory.resolve()
    try:
        if (directory / DECLARATION).exists():
            # What a watch was given: the declaration as it was told, without the secrets.
            return recalled(directory)
        return read(directory, None if inventory is None else Path(f"/dev/fd/{inventory}").read_text(encoding="utf-8"))
    except EnvironmentError_ as error:
        raise pytest.UsageError(f"The environment {directory} cannot be read:\n{error}") from error


@pytest.fixture(scope="session")
def ours(lab: Lab) -> None:
    """For checks that compare with what the roles lay down: they say nothing where the roles never were."""
    if lab.environment.get("audit_foreign", False):
        raise NotAssessedError("art32.server did not set this server up, so there is nothing of its own to compare")


def _recalled(bundle: Path) -> tuple[datetime, Environment, Store]:
    """The time, the declaration and the outputs of an earlier audit."""
    try:
        report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
        return datetime.fromisoformat(report["time"]), recalled(bundle), Store.recalled(bundle)
    except (OSError, ValueError, KeyError) as error:
        raise pytest.UsageError(f"The bundle {bundle} cannot be judged again: {error}") from error


def _outcome(call: pytest.CallInfo[None]) -> tuple[Status, str]:
    """What the end of a test says: an assertion failed, it could not be made, or it holds."""
    if call.excinfo is None:
        return "met", ""
    error = call.excinfo.value
    if isinstance(error, AssertionError):
        return "not met", _shorten(str(error))
    if isinstance(error, NotAssessedError | pytest.skip.Exception):
        return "not assessed", _shorten(str(error))
    return "not assessed", _shorten(f"the check itself failed: {type(error).__name__}: {error}")


def _shorten(text: str) -> str:
    """The message without pytest's own explanation of the expression."""
    said = " ".join(text.split("\nassert ", maxsplit=1)[0].split())
    return said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]}..."


def _kind(item: pytest.Item) -> str:
    """The most intrusive kind among the item's marks."""
    return max((marker.kwargs["kind"] for marker in item.iter_markers("control")), key=KINDS.index, default="observe")


def _subject(item: pytest.Item) -> str | None:
    """The host that an item is about."""
    params = getattr(item, "callspec", None)
    return next((params.params[name] for name in SUBJECTS if params and name in params.params), None)


def _needs(item: pytest.Item, fixture: str) -> bool:
    return fixture in getattr(item, "fixturenames", ())


def _title(item: pytest.Item) -> str:
    """A check's name for people: `test_port_is_shut[server-ipv6]` reads `port is shut, ipv6`."""
    name, _, parameters = item.name.removeprefix("test_").removesuffix("]").partition("[")
    case = parameters.removeprefix(_subject(item) or "none").strip("-")
    return ", ".join(filter(None, [name.replace("_", " "), case]))
