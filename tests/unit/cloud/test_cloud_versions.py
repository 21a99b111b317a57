"""What brings a bucket back to a moment, by the versions that it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.art32.server.plugins.module_utils.cloud.versions import Version, plan

MOMENT = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
BEFORE, LATER, AFTER = (MOMENT + timedelta(minutes=by) for by in (-60, -30, 60))


def made(identity: str, since: datetime, *, newest: bool = False, gone: bool = False, tag: str = "") -> Version:
    """A version of the one name, as other content than every other unless the tag says otherwise."""
    return Version(name="info", identity=identity, since=since, newest=newest, gone=gone, tag=tag or identity)


@pytest.mark.parametrize(
    ("versions", "ways"),
    [
        pytest.param([made("1", BEFORE, newest=True)], [], id="untouched"),
        pytest.param([made("1", BEFORE), made("2", AFTER, newest=True)], ["copy info: version 1"], id="overwritten"),
        pytest.param(
            [made("1", BEFORE), made("2", AFTER, newest=True, gone=True)], ["copy info: version 1"], id="deleted"
        ),
        pytest.param([made("2", AFTER, newest=True)], ["delete info"], id="not there then"),
        pytest.param([made("2", AFTER), made("3", AFTER, newest=True, gone=True)], [], id="came and went"),
        pytest.param(
            [made("1", BEFORE), made("2", LATER, gone=True), made("3", AFTER, newest=True)],
            ["delete info"],
            id="deleted before that",
        ),
        pytest.param(
            [made("1", BEFORE), made("2", AFTER), made("3", AFTER, newest=True, tag="1")], [], id="brought back before"
        ),
        pytest.param([made("1", MOMENT, newest=True)], [], id="at that moment"),
    ],
)
def test_every_name_is_what_it_was(versions: list[Version], ways: list[str]) -> None:
    assert [str(way) for way in plan(versions, MOMENT)] == ways
    assert [str(way) for way in plan(reversed(versions), MOMENT)] == ways
