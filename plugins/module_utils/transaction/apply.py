# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply what differs, behind a revert that is armed before anything live changes."""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.art32.server.plugins.module_utils.transaction import (
    activate,
    arm,
    disk,
    files,
    install,
    packages,
    pending,
    snapshot,
    stage,
    stamp,
    system,
)
from ansible_collections.art32.server.plugins.module_utils.transaction.compare import compare
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError
from ansible_collections.art32.server.plugins.module_utils.transaction.redact import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.compare import Comparison
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import (
        Activation,
        Preparation,
        Request,
        Validation,
    )

__all__ = ["RevertedError", "apply", "predict"]

# Left of the armed time for the revert's own start, so that the module ends by itself.
MARGIN_SECONDS = 2
STAGED = pending.SAVED / "staged"


class RevertedError(TransactionError):
    """The transaction failed; `outcome` says what was undone, None when nothing had to be."""

    def __init__(self, message: str, outcome: dict[str, Any] | None) -> None:
        """Keep both."""
        super().__init__(message)
        self.outcome = outcome


def predict(request: Request, comparison: Comparison) -> list[str]:
    """Validate what would be installed, without a trace. Returns notes on what could not be validated yet.

    Raises TransactionError when a real run would be refused for certain.
    """
    base = Path(tempfile.mkdtemp(prefix="art32-"))
    try:
        stage.write(request, base)
        notes = [_predict_validation(request, number, base, comparison) for number in range(len(request.validate))]
    finally:
        disk.remove(base)
    return [note for note in notes if note]


def _predict_validation(request: Request, number: int, base: Path, comparison: Comparison) -> str | None:
    try:
        stage.validate(request, request.validate[number], base, comparison.removals)
    except stage.NotValidated as reason:
        return f"not validated yet: {reason}"
    except TransactionError as error:
        if not _is_incomplete(request, comparison):
            raise
        return f"not validated yet, because something else has to be made first: {error}"
    return None


def _is_incomplete(request: Request, comparison: Comparison) -> bool:
    """Whether a validation may fail only because check mode made nothing before it."""
    owners = [(entry.owner, entry.group) for entry in request.files]
    owners += [(entry.owner, entry.group) for entry in request.directories]
    unknown = any(files.user_id(owner) is None or files.group_id(group) is None for owner, group in owners)
    return comparison.foundations or unknown


def apply(request: Request, comparison: Comparison) -> tuple[Literal["pending", "committed"], pending.Plan]:
    """Apply everything that differs.

    Raises RevertedError when something failed on the way, TransactionError when the transaction could not even begin.
    """
    sentences = [change.sentence for change in comparison.changes]
    plan = arm.begin(request, dict(comparison.evidence.units), sentences)
    try:
        arm.set_timer(plan)
        return _change(request, plan)
    except Exception as error:  # whatever it was, the host must not stay as it is now
        outcome = arm.give_up(plan)
        what = str(error) if isinstance(error, TransactionError) else f"{type(error).__name__}: {error}"
        raise RevertedError(redact(what, request), outcome) from error


def _change(request: Request, plan: pending.Plan) -> tuple[Literal["pending", "committed"], pending.Plan]:
    removals = _prepare(request, plan)
    postponed = _validate(request, removals)
    comparison = compare(request)
    until = time.monotonic() + request.timeout - MARGIN_SECONDS
    due = [request.activate[number] for number in comparison.activations]
    _arm(request, plan, comparison, due)
    install.install(comparison.files, comparison.removals)
    for validation in postponed:
        stage.validate_live(request, validation, STAGED)
    if _concerns_manager(comparison, due):
        activate.reload_manager(until=until)
    started = activate.settle(request.units, until=until)
    activate.activate(due, started, until=until)
    for probe in request.probes:
        activate.probe(probe, until=until)
    _remember(request, [request.finish[number] for number in comparison.finish])
    arm.wait(plan)
    if request.confirm:
        return "pending", plan
    arm.commit(plan)
    return "committed", plan


def _prepare(request: Request, plan: pending.Plan) -> Sequence[str]:
    """Make what the files and their validation stand on. Returns the paths that are going to be removed."""
    comparison = compare(request)
    if comparison.packages:
        plan["packages"] = packages.plan(comparison.packages)
        pending.save_plan(plan)
        packages.install(comparison.packages)
        comparison = compare(request)
    for entry in comparison.directories:
        made = [snapshot.absent(path, only_if_empty=True) for path in install.missing_parents(entry.path)]
        _record(plan, [*made, _directory_record(entry.path)])
        install.make_directory(entry)
    stage.write(request, STAGED)
    for preparation in comparison.preparations:
        _record(plan, snapshot.keep(preparation.creates))
        _run_preparation(preparation, request)
    return comparison.removals


def _directory_record(path: str) -> disk.Record:
    if Path(path).exists():
        return snapshot.attributes(str(Path(path).resolve()))
    return snapshot.absent(path, only_if_empty=True)


def _record(plan: pending.Plan, records: list[disk.Record]) -> None:
    plan["paths"] = [*plan["paths"], *records]
    pending.save_plan(plan)


def _run_preparation(entry: Preparation, request: Request) -> None:
    status, output = pending.run(stage.expand(entry.command, STAGED), timeout=entry.timeout)
    missing = [path for path in entry.creates if disk.found(path)["kind"] == "absent"]
    if status != 0 or missing:
        reason = output or f"exit status {status}" + (f", and {missing[0]} is still missing" if missing else "")
        raise TransactionError(f"Preparation failed: {shlex.join(entry.command)}: {redact(reason, request)}")


def _validate(request: Request, removals: Sequence[str]) -> list[Validation]:
    """Validate what is staged. Returns the validations that this host can only do on the files in place."""
    postponed = []
    for validation in request.validate:
        try:
            stage.validate(request, validation, STAGED, removals)
        except stage.NoNamespace:
            postponed.append(validation)
        except stage.NotValidated as reason:
            raise TransactionError(f"Validation failed: {validation}: {reason}") from reason
    return postponed


def _arm(request: Request, plan: pending.Plan, comparison: Comparison, due: Sequence[Activation]) -> None:
    """Keep everything that is about to change. The stamp is not worth keeping: its absence is always safe."""
    recorded = {record["path"] for record in plan["paths"]}
    state = str(stamp.state_path(request.name))
    touched = [*(entry.path for entry in comparison.files), *comparison.removals, state]
    records = snapshot.keep(path for path in touched if path not in recorded)
    records.append(snapshot.absent(str(stamp.stamp_path(request.name))))
    keys = ("unit", "verb", "command", "undo", "daemon_reload")
    arm.arm(plan, paths=records, activate=[{key: getattr(entry, key) for key in keys} for entry in due])


def _concerns_manager(comparison: Comparison, due: Sequence[Activation]) -> bool:
    """Whether systemd has to read its unit files before any unit is touched."""
    touched = [*(entry.path for entry in comparison.files), *comparison.removals]
    in_place = any(path.startswith(pending.UNIT_DIRECTORIES) for path in touched)
    return in_place or any(entry.daemon_reload for entry in due)


def _remember(request: Request, last: Sequence[Activation]) -> None:
    """Stamp what is loaded now, and what has to follow; a revert puts the old state back like any other file."""
    activated = time.time()
    answers = system.query(request.loaded)
    outputs = {shlex.join(command): answer.output for command, answer in zip(request.loaded, answers, strict=True)}
    found = {entry.path: files.find(entry.path) for entry in request.files}
    stamp.STATES.mkdir(mode=0o700, exist_ok=True)
    owed = [{"command": entry.command, "timeout": entry.timeout} for entry in last]
    state = {"activated": activated, "loaded": outputs, **({"owed": owed} if owed else {})}
    disk.write_json(stamp.state_path(request.name), state)
    stamp.write(request, found, system.unit_states(stamp.activated_units(request)), activated)
