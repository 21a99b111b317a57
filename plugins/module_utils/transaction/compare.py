# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare what is declared with what is there. Predicting and applying share this; nothing here writes."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils.transaction import files, laid, stamp, system
from ansible_collections.art32.server.plugins.module_utils.transaction.disk import read_json
from ansible_collections.art32.server.plugins.module_utils.transaction.model import (
    MANIFESTS,
    TransactionError,
    concerns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.art32.server.plugins.module_utils.transaction.files import Found
    from ansible_collections.art32.server.plugins.module_utils.transaction.model import (
        Activation,
        Directory,
        File,
        Preparation,
        Request,
        Unit,
    )
    from ansible_collections.art32.server.plugins.module_utils.transaction.system import UnitState

__all__ = ["Change", "Comparison", "compare", "file_diff", "unit_verbs"]

DIFF_BYTES = 100_000
_HIDDEN = "[secret, not shown]\n"
_WORLD_READABLE = 0o004
# What a verb takes a unit from and to.
_EFFECTS = {
    "unmask": ("masked", "unmasked"),
    "enable": ("disabled", "enabled"),
    "start": ("stopped", "started"),
    "stop": ("started", "stopped"),
    "disable": ("enabled", "disabled"),
    "mask": ("unmasked", "masked"),
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that differs: a sentence, and for some the two sides of a diff."""

    sentence: str
    header: str = ""
    before: str = ""
    after: str = ""

    def diff(self) -> dict[str, str]:
        """Give it in Ansible's form."""
        return {
            "before_header": self.header,
            "after_header": self.header,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that differs, and what is due because of it."""

    changes: tuple[Change, ...] = ()
    packages: tuple[str, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    removals: tuple[str, ...] = ()
    preparations: tuple[Preparation, ...] = ()
    units: tuple[Unit, ...] = ()
    activations: tuple[int, ...] = ()
    finish: tuple[int, ...] = ()
    evidence: stamp.Evidence

    @property
    def foundations(self) -> bool:
        """Whether something has to be there before the files can be judged."""
        return bool(self.packages or self.directories or self.preparations)


def observe(request: Request) -> tuple[dict[str, str], stamp.Evidence]:
    """Ask the host everything at once."""
    names = request.unit_names()
    commands: list[Sequence[str]] = []
    if request.packages:
        commands.append(system.package_command(request.packages))
    if names:
        commands.append(system.unit_command(names))
    commands.extend(request.loaded)
    found = {entry.path: files.find(entry.path) for entry in request.files}
    answers = iter(system.query(commands))
    packages = system.parse_packages(next(answers).output) if request.packages else {}
    units = system.parse_units(names, next(answers).output) if names else {}
    outputs = {shlex.join(command): answer.output for command, answer in zip(request.loaded, answers, strict=True)}
    evidence = stamp.Evidence(
        stamp=read_json(stamp.stamp_path(request.name)),
        state=read_json(stamp.state_path(request.name)),
        units=units,
        files=found,
        outputs=outputs,
        booted=system.boot_time(),
    )
    return packages, evidence


def compare(request: Request) -> Comparison:
    """Look at everything that is declared.

    Raises TransactionError where a declared file or link would have to replace a directory or a device.
    """
    packages, evidence = observe(request)
    missing = tuple(name for name in request.packages if packages.get(name, "un")[1:] != "i")
    directories = [(entry, files.find(entry.path, follow=True)) for entry in request.directories]
    differing = tuple(entry for entry in request.files if files.differences(entry, evidence.files[entry.path]))
    removals = _removals(request)
    preparations = tuple(entry for entry in request.prepare if _missing(entry))
    units = tuple(unit for unit in request.units if unit_verbs(unit, evidence.units.get(unit.name)))
    touched = [entry.path for entry in differing] + list(removals)
    anything = bool(missing or preparations)
    triggered = _triggered(request.activate, touched, anything=anything)
    stale = {number: reason for number, reason in stamp.stale(request, evidence).items() if number not in triggered}
    activations = tuple(sorted({*triggered, *stale}))
    last = {number: str(request.finish[number]) for number in _triggered(request.finish, touched, anything=anything)}
    last = {**stamp.owed(request, evidence), **last}
    changes = [
        *(Change(sentence=f"Lay down {path} again: it is not what was laid down") for path in laid.differing()),
        *(_package_changes(missing)),
        *(change for entry, found in directories for change in _attribute_changes(entry, found)),
        *(_prepare_change(entry) for entry in preparations),
        *(change for entry in differing for change in _file_changes(entry, evidence.files[entry.path])),
        *(_removal_change(path, request) for path in removals),
        *(_unit_change(unit, evidence.units.get(unit.name)) for unit in units),
        *(_activation_changes(request, activations, stale, stamp.drift(request.loaded, evidence))),
        *(Change(sentence=_capital(last[number])) for number in sorted(last)),
    ]
    # The list of what is declared goes with what changes; it is told of where it is all that differs.
    others = [change for change in changes if not change.header.startswith(MANIFESTS)]
    return Comparison(
        changes=tuple(others or changes),
        packages=missing,
        directories=tuple(entry for entry, found in directories if files.differences(entry, found)),
        files=differing,
        removals=removals,
        preparations=preparations,
        units=units,
        activations=activations,
        finish=tuple(sorted(last)),
        evidence=evidence,
    )


def _removals(request: Request) -> tuple[str, ...]:
    declared = [entry.path for entry in request.files] + [path for entry in request.prepare for path in entry.creates]
    present = [path for path in request.absent if os.path.lexists(path)]
    undeclared = files.undeclared(request.owns, declared)
    kept = files.as_shipped(undeclared) if request.keep_shipped else ()
    return tuple(dict.fromkeys([*(path for path in undeclared if path not in kept), *present]))


def _triggered(entries: Sequence[Activation], touched: Sequence[str], *, anything: bool) -> tuple[int, ...]:
    """Numbers of the activations that a change of files calls for; a new package calls for the general ones."""
    return tuple(
        number
        for number, entry in enumerate(entries)
        if any(concerns(entry, path) for path in touched) or (anything and not entry.files)
    )


def unit_verbs(declared: Unit, state: UnitState | None) -> tuple[str, ...]:
    """Give systemctl's verbs that make a unit what is declared, in the order to run them."""
    state = state or system.UnitState()
    runs = state.is_active or state.active == "activating"
    started = runs or state.is_skipped
    is_wanted = declared.enabled is True or declared.state == "started"
    verbs = {
        "unmask": not declared.masked and (declared.masked is False or is_wanted) and state.is_masked,
        "enable": declared.enabled is True and not state.is_enabled,
        "start": declared.state == "started" and not started,
        "stop": declared.state == "stopped" and runs,
        "disable": declared.enabled is False and state.file_state in ("enabled", "enabled-runtime"),
        "mask": declared.masked is True and not state.is_masked,
    }
    return tuple(verb for verb, due in verbs.items() if due)


# Sentences and diffs


def _package_changes(missing: Sequence[str]) -> Iterable[Change]:
    return (
        Change(sentence=f"Install the package {name}", header=f"package {name}", after="installed\n")
        for name in missing
    )


def _missing(entry: Preparation) -> list[str]:
    return [path for path in entry.creates if not os.path.lexists(path)]


def _prepare_change(entry: Preparation) -> Change:
    missing = " and ".join(_missing(entry))
    return Change(sentence=f"Make {missing} by {entry.command[0]}", header=missing, after="[made once]\n")


def _attributes(entry: File | Directory) -> dict[str, str]:
    return {"owner": entry.owner, "group": entry.group, "mode": f"{entry.mode:04o}"}


def _found_attributes(found: Found) -> dict[str, str]:
    return {
        "owner": files.user_name(found.uid),
        "group": files.group_name(found.gid),
        "mode": f"{found.mode:04o}",
    }


def _attribute_changes(entry: File | Directory, found: Found) -> Iterable[Change]:
    differing = files.differences(entry, found)
    if "kind" in differing:
        if found.kind not in ("absent", "file", "link"):
            raise TransactionError(f"{entry.path}: something else than a directory is in the way")
        sentence = f"Make the directory {entry.path}"
        yield Change(sentence=sentence, header=entry.path, after=_lines(_attributes(entry)))
        return
    names = [name for name in ("owner", "group", "mode") if name in differing]
    if not names:
        return
    old, new = _found_attributes(found), _attributes(entry)
    what = ", ".join(f"{name} from {old[name]} to {new[name]}" for name in names)
    yield Change(
        sentence=f"Change {entry.path}: {what}",
        header=f"{entry.path} (attributes)",
        before=_lines({name: old[name] for name in names}),
        after=_lines({name: new[name] for name in names}),
    )


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in values.items())


def _file_changes(entry: File, found: Found) -> Iterable[Change]:
    if found.kind in ("directory", "other"):
        raise TransactionError(f"{entry.path}: a {found.kind if found.kind == 'directory' else 'device'} is in the way")
    differing = files.differences(entry, found)
    if {"kind", "content", "target"} & set(differing):
        verb = "Make" if found.kind == "absent" else "Change the content of" if "content" in differing else "Replace"
        what = f"the link {entry.path}" if entry.link is not None and verb != "Change the content of" else entry.path
        before, after = file_diff(entry, found)
        yield Change(sentence=f"{verb} {what}", header=entry.path, before=before, after=after)
    if "kind" not in differing:
        yield from _attribute_changes_of_file(entry, found, differing)


def _attribute_changes_of_file(entry: File, found: Found, differing: Sequence[str]) -> Iterable[Change]:
    if {"owner", "group", "mode"} & set(differing):
        yield from _attribute_changes(entry, found)


def file_diff(entry: File, found: Found) -> tuple[str, str]:
    """Give both sides of a file's diff; nothing of a secret."""
    if entry.secret:
        return ("" if found.kind == "absent" else _HIDDEN), _HIDDEN.replace("]", ", new]")
    after = f"link to {entry.link}\n" if entry.link is not None else _text(entry.content)
    return _present(found), after


def _present(found: Found) -> str:
    if found.kind == "absent":
        return ""
    return f"link to {found.target}\n" if found.kind == "link" else _text(found.content)


def _text(content: bytes) -> str:
    if len(content) > DIFF_BYTES:
        return f"[{len(content)} bytes, not shown]\n"
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"[{len(content)} bytes, not text]\n"


def _removal_change(path: str, request: Request) -> Change:
    found = files.find(path)
    reason = "" if path in request.absent else ", which nobody declared"
    shown = (
        _present(found) if found.mode & _WORLD_READABLE or found.kind == "link" else "[not world-readable, not shown]\n"
    )
    before = "[a directory]\n" if found.kind == "directory" else shown
    return Change(sentence=f"Remove {path}{reason}", header=path, before=before)


def _unit_change(declared: Unit, state: UnitState | None) -> Change:
    verbs = unit_verbs(declared, state)
    return Change(
        sentence=f"{' and '.join(verbs).capitalize()} {declared.name}",
        header=f"unit {declared.name}",
        before="".join(f"{_EFFECTS[verb][0]}\n" for verb in verbs),
        after="".join(f"{_EFFECTS[verb][1]}\n" for verb in verbs),
    )


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _activation_changes(
    request: Request, activations: Sequence[int], stale: Mapping[int, str], drift: tuple[str, str, str] | None
) -> Iterable[Change]:
    sentences = (stale.get(number) or str(request.activate[number]) for number in activations)
    for sentence in dict.fromkeys(map(_capital, sentences)):
        if drift and sentence.startswith("Activate again"):
            command, prints, printed = drift
            yield Change(sentence=sentence, header=f"`{command}`", before=prints, after=printed)
        else:
            yield Change(sentence=sentence)
