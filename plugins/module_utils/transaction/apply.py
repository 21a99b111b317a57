# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply what differs, behind a revert that is armed before anything live changes."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.art32.server.plugins.module_utils.transaction import (
    activate,
    arm,
    install,
    packages,
    revert,
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
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import Preparation, Request

__all__ = ["Reverted", "apply", "predict", "settle_unchanged"]

# Left of the armed time for the revert's own start, so that the module ends by itself.
MARGIN_SECONDS = 2


class Reverted(TransactionError):
    """The transaction failed; `outcome` says what was undone, None when nothing had to be."""

    def __init__(self, message: str, outcome: dict[str, Any] | None) -> None:
        """Keep both."""
        super().__init__(message)
        self.outcome = outcome


def predict(request: Request, comparison: Comparison) -> list[str]:
    """Validate what would be installed, without a trace. Returns notes on what could not be validated yet.

    Raises TransactionError when a real run would be refused for certain.
    """
    arm.refuse_if_pending()
    notes: list[str] = []
    base = Path(tempfile.mkdtemp(prefix="art32-", dir="/run"))
    try:
        stage.write(request, base)
        for validation in request.validate:
            try:
                stage.validate(request, validation, base, comparison.removals)
            except stage.NotValidated as reason:
                notes.append(f"not validated yet: {reason}")
            except TransactionError as error:
                if not _is_incomplete(request, comparison):
                    raise
                notes.append(f"not validated yet, because something else has to be made first: {error}")
    finally:
        revert.remove(base)
    return notes


def _is_incomplete(request: Request, comparison: Comparison) -> bool:
    """Whether a validation may fail only because check mode made nothing before it."""
    names = {(entry.owner, entry.group) for entry in (*request.files, *request.directories)}
    accounts = all(
        stage.files.user_id(owner) is not None and stage.files.group_id(group) is not None for owner, group in names
    )
    return comparison.foundations or not accounts


def settle_unchanged(request: Request, comparison: Comparison) -> None:
    """Note silently that units run with the files that are there, after a reboot or a restart by hand.

    Raises TransactionError when somebody's unconfirmed change is what makes everything equal.
    """
    arm.refuse_if_pending()
    evidence = comparison.evidence
    units = {
        entry.unit: evidence.units[entry.unit].invocation for entry in request.activate if entry.unit in evidence.units
    }
    files = {path: stamp.digest(found) for path, found in evidence.files.items()}
    known = evidence.stamp or {}
    if not units or (known.get("units") == units and known.get("files") == files):
        return
    _write_stamp(request.name, files, units, time.time())


def apply(request: Request, comparison: Comparison) -> tuple[Literal["pending", "committed"], revert.Plan]:
    """Apply everything that differs.

    Raises Reverted when something failed on the way, TransactionError when the transaction could not even begin.
    """
    sentences = [change.sentence for change in comparison.changes]
    plan = arm.begin(request, dict(comparison.evidence.units), sentences)
    try:
        return _change(request, plan)
    except (TransactionError, OSError) as error:
        outcome = arm.give_up(plan)
        raise Reverted(redact(str(error), request), outcome) from error


def _change(request: Request, plan: revert.Plan) -> tuple[Literal["pending", "committed"], revert.Plan]:
    removals = _prepare(request, plan)
    _validate(request, removals)
    comparison = compare(request)
    began = time.monotonic()
    _arm(request, plan, comparison)
    _install(request, comparison)
    _activate(request, comparison)
    for entry in request.probes:
        activate.probe(entry, until=began + request.timeout - MARGIN_SECONDS)
    _remember(request)
    arm.wait(plan)
    if request.confirm:
        return "pending", plan
    arm.commit(plan)
    return "committed", plan


def _prepare(request: Request, plan: revert.Plan) -> Sequence[str]:
    """Make what the files and their validation stand on. Returns the paths that are going to be removed."""
    comparison = compare(request)
    if comparison.packages:
        plan["packages"] = packages.plan(comparison.packages)
        revert.save_plan(plan)
        packages.install(comparison.packages)
        comparison = compare(request)
    for entry in comparison.directories:
        made = [snapshot.absent(path, only_if_empty=True) for path in install.missing_parents(entry.path)]
        _record(plan, [*made, _directory_record(entry.path)])
        install.make_directory(entry)
    stage.write(request, revert.SAVED / "staged")
    for preparation in comparison.preparations:
        _record(plan, [snapshot.absent(preparation.creates)])
        _run_preparation(preparation, request)
    return comparison.removals


def _directory_record(path: str) -> revert.Record:
    return (
        snapshot.attributes(os.path.realpath(path))
        if os.path.lexists(path)
        else snapshot.absent(path, only_if_empty=True)
    )


def _record(plan: revert.Plan, records: list[revert.Record]) -> None:
    plan["paths"] = [*plan["paths"], *records]
    revert.save_plan(plan)


def _run_preparation(entry: Preparation, request: Request) -> None:
    status, output = revert.run(stage.expand(entry.command, revert.SAVED / "staged"), timeout=entry.timeout)
    if status != 0 or not os.path.lexists(entry.creates):
        reason = output or f"exit status {status}, and {entry.creates} is still missing"
        raise TransactionError(f"Preparation failed: {shlex.join(entry.command)}: {redact(reason, request)}")


def _validate(request: Request, removals: Sequence[str]) -> None:
    for validation in request.validate:
        try:
            stage.validate(request, validation, revert.SAVED / "staged", removals)
        except stage.NotValidated as reason:
            raise TransactionError(f"Validation failed: {validation}: {reason}") from reason


def _arm(request: Request, plan: revert.Plan, comparison: Comparison) -> None:
    recorded = {record["path"] for record in plan["paths"]}
    touched = [*(entry.path for entry in comparison.files), *comparison.removals]
    state = [str(stamp.state_path(request.name)), str(stamp.stamp_path(request.name))]
    records = snapshot.keep(path for path in [*touched, *state] if path not in recorded)
    due = [request.activate[number] for number in comparison.activations]
    entries = [
        {key: getattr(entry, key) for key in ("unit", "verb", "command", "undo", "daemon_reload")} for entry in due
    ]
    arm.arm(plan, paths=records, activate=entries)


def _install(request: Request, comparison: Comparison) -> None:
    """Put the files in place; systemd reads changed unit files before any unit is touched."""
    install.install(comparison.files, comparison.removals)
    touched = [*(entry.path for entry in comparison.files), *comparison.removals]
    due = [request.activate[number] for number in comparison.activations]
    if any(path.startswith(revert.UNIT_DIRECTORIES) for path in touched) or any(entry.daemon_reload for entry in due):
        activate.reload_manager()


def _activate(request: Request, comparison: Comparison) -> None:
    activate.settle(request.units)
    for number in comparison.activations:
        entry = request.activate[number]
        if not entry.daemon_reload:
            activate.activate(entry)


def _remember(request: Request) -> None:
    """Stamp what is loaded now; a revert puts the old stamp back like any other file."""
    activated = time.time()
    answers = system.query(request.loaded)
    outputs = {shlex.join(command): answer.output for command, answer in zip(request.loaded, answers, strict=True)}
    files = {entry.path: stamp.digest(stage.files.find(entry.path)) for entry in request.files}
    units = system.unit_states([entry.unit for entry in request.activate if entry.unit])
    stamp.STATES.mkdir(mode=0o700, exist_ok=True)
    state = {"activated": activated, "loaded": outputs}
    revert.atomic_write(stamp.state_path(request.name), json.dumps(state, indent=1) + "\n")
    _write_stamp(request.name, files, {name: unit.invocation for name, unit in units.items()}, activated)


def _write_stamp(name: str, files: dict[str, str], units: dict[str, str], activated: float) -> None:
    stamp.STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.STAMPS.chmod(0o700)
    value = {"files": files, "units": units, "activated": activated}
    revert.atomic_write(stamp.stamp_path(name), json.dumps(value) + "\n")
