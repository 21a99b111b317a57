"""Whatever is wrong with a managed object: the audit turns exactly the declared controls red, the next run repairs it.

What molecule/lockout has for the way in, for everything behind it. Some mutants in a row share the last look, a run of
the whole site that changes nothing and an audit that finds nothing.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutant_matrix import PARTS, TRIED

from tests.mutants.trial import Console, audit, repair
from tests.resumable import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controls.environment import Environment
    from tests.mutants.operations import Mutant

LOGIN = CHECKOUT / "playbooks" / "login.yml"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the test its mutants."""
    if "row" in metafunc.fixturenames:
        environment = Path(metafunc.config.getoption("environment")).resolve()
        rows = [(part, row) for part, matrix in TRIED.items() for row in matrix.chosen(environment)]
        names = [f"{part}: {TRIED[part].label(row)}" for part, row in rows]
        metafunc.parametrize(("part", "row"), rows, ids=names)


@pytest.fixture
def found(declaration: Environment, tmp_path: Path) -> Callable[[str], dict[str, list[str]]]:
    """What the audit finds open now, named as a host would."""
    bundles = (tmp_path / str(number) for number in count())
    return lambda host: audit(declaration.directory, host, next(bundles), elsewhere=True)


def test_audit_sees_the_mutants_and_a_run_repairs_them(
    declaration: Environment,
    found: Callable[[str], dict[str, list[str]]],
    part: str,
    row: Sequence[Mutant],
) -> None:
    playbook, problems = CHECKOUT / "playbooks" / f"{PARTS[part][1]}.yml", {}
    for mutant in row:
        try:
            try_out(mutant, declaration, playbook, found)
        except AssertionError as problem:
            problems[str(mutant)] = str(problem)
            repair(declaration.directory, CHECKOUT / "site.yml")
    assert not problems, "\n".join(f"{mutant}: {problem}" for mutant, problem in problems.items())
    whole = repair(declaration.directory, CHECKOUT / "site.yml")
    assert (whole.status, whole.changes) == (0, ()), whole.output
    assert found("server") == {}


def try_out(
    mutant: Mutant, declaration: Environment, playbook: Path, found: Callable[[str], dict[str, list[str]]]
) -> None:
    """Break, audit and repair."""
    Console(declaration, mutant.subject.host)(mutant.script)
    red = found(mutant.subject.host)
    # What nobody declared goes when a run is told so; else it is only reported.
    repaired = repair(declaration.directory, LOGIN, playbook, postgresql_undeclared="remove")
    assert repaired.status == 0, repaired.output
    assert set(red) == mutant.controls, red
    assert repaired.changes, f"the run changed nothing:\n{repaired.output}"
    role = mutant.subject.role.partition("_")[0]  # some have several transactions
    others = [line for line in repaired.changes if line[0] != role or not mutant.concerns(line[1])]
    assert not others, others
