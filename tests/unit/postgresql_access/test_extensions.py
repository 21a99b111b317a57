"""Which extensions come, go and stay."""

from __future__ import annotations

import pytest
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.extensions import (
    Extension,
    plan_extensions,
)
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.model import AccessError
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.plan import Plan
from ansible_collections.art32.server.plugins.module_utils.postgresql_access.task import ARGUMENTS, declared

CUBE = Extension(name="cube")
EARTH = Extension(name="earthdistance", needs=frozenset({"cube"}))
HSTORE = Extension(name="hstore", in_use=True)


@pytest.mark.parametrize(
    ("wanted", "found", "remove", "changes", "undeclared"),
    [
        (["pg_trgm"], [], False, ["now: extension pg_trgm"], []),
        (["earthdistance"], [CUBE, EARTH], True, [], []),
        (["cube"], [CUBE, EARTH], False, [], ["extension earthdistance"]),
        (["cube"], [CUBE, EARTH], True, ["no longer: extension earthdistance"], []),
        ([], [CUBE, EARTH], False, [], ["extension cube", "extension earthdistance"]),
        ([], [CUBE, EARTH], True, ["no longer: extension earthdistance", "no longer: extension cube"], []),
        ([], [HSTORE], True, [], ["extension hstore"]),
        (
            ["pg_trgm"],
            [CUBE, Extension(name="earthdistance", needs=frozenset({"cube"}), in_use=True)],
            True,
            ["now: extension pg_trgm"],
            ["extension cube", "extension earthdistance"],
        ),
    ],
)
def test_what_follows(
    wanted: list[str], found: list[Extension], *, remove: bool, changes: list[str], undeclared: list[str]
) -> None:
    plan = Plan()
    plan_extensions(plan, wanted, found, where="", remove=remove)
    assert (plan.texts(), plan.undeclared) == (changes, undeclared)


def test_an_extension_goes_alone() -> None:
    plan = Plan()
    plan_extensions(plan, [], [Extension(name='odd"name')], where="", remove=True)
    assert plan.rights[0].statement == 'DROP EXTENSION "odd""name"'  # without CASCADE


def test_extensions_of_an_undeclared_database_are_refused() -> None:
    params = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    with pytest.raises(AccessError, match="extensions names database shop; it has to be one of databases"):
        declared(params | {"extensions": {"shop": ["pg_trgm"]}})
