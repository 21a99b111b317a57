"""Only requirements with hashes pass, and a service's own win."""

from __future__ import annotations

import pytest
from ansible_collections.art32.server.plugins.module_utils.release.requirements import (
    RequirementsError,
    blocks,
    completed,
    pins,
)

FLASK = """\
# a comment
flask==3.1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.in
Typing_Extensions==4.0 ; python_version < "3.13" --hash=sha256:cc
"""
SERVER = "gunicorn==27.0.1 --hash=sha256:dd\n"


def test_continued_lines_are_one_requirement() -> None:
    assert blocks(FLASK) == {
        "flask": "flask==3.1.0 --hash=sha256:aa --hash=sha256:bb",
        "typing-extensions": 'Typing_Extensions==4.0 ; python_version < "3.13" --hash=sha256:cc',
    }


def test_one_name_may_have_several_lines_with_markers() -> None:
    text = "a==1 ; python_version < '3.12' --hash=sha256:aa\na==2 ; python_version >= '3.12' --hash=sha256:bb\n"
    assert blocks(text)["a"].count("--hash=") == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("flask==3.1.0", "flask==3.1.0: has no hash"),
        ("--index-url https://example.test/simple", "--index-url: only requirements"),
        ("-e .", "-e: only requirements"),
        ("./local.whl --hash=sha256:aa", "./local.whl: only requirements"),
    ],
)
def test_what_hashes_do_not_decide_is_refused(text: str, named: str) -> None:
    with pytest.raises(RequirementsError, match=named):
        blocks(text)


def test_the_server_is_added_unless_it_is_named() -> None:
    assert "gunicorn==27.0.1" in completed(FLASK, SERVER)
    own = completed("gunicorn==23.0.0 --hash=sha256:ee", SERVER)
    assert own == "gunicorn==23.0.0 --hash=sha256:ee\n"


@pytest.mark.parametrize(
    ("name", "version", "pinned"),
    [("Flask", "3.1.0", True), ("flask", "3.1", False), ("typing.extensions", "4.0", True), ("django", "5.2", False)],
)
def test_an_exact_version_counts(name: str, version: str, pinned: bool) -> None:
    assert pins(FLASK, name, version) is pinned
