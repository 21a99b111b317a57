"""Commented YAML whose values are exchanged."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.art32.server.plugins.module_utils.declaration.documents import has_key, render, rewrite

TEXT = """\
---
# Names.
first: 1
# Many.
second:
  - {a: b}
  # Inside.
  - {a: c}

# Last.
third:
  inner: {x: 1}
  other: 2
"""


def test_comments_before_a_key_stay() -> None:
    assert rewrite(TEXT, ["second"], [{"a": "d"}]) == TEXT.replace(
        "  - {a: b}\n  # Inside.\n  - {a: c}\n",
        "  - {a: d}\n",
    )


def test_a_value_within_a_value_is_exchanged() -> None:
    assert rewrite(TEXT, ["third", "inner"], "y") == TEXT.replace("inner: {x: 1}", "inner: y")


def test_a_new_key_comes_last() -> None:
    assert rewrite(TEXT, ["fourth"], True) == f"{TEXT}fourth: true\n"
    assert not has_key(TEXT, "fourth")


def test_a_missing_parent_is_an_error() -> None:
    with pytest.raises(KeyError):
        rewrite(TEXT, ["fourth", "inner"], 1)


@pytest.mark.parametrize("value", ["two\nlines\n", "{{ lookup('env', 'A') }}", [], {"on": "all"}, None, "12", ["::/0"]])
def test_what_is_written_is_read_again(value: object) -> None:
    assert yaml.safe_load(rewrite(TEXT, ["second"], value))["second"] == value


def test_equal_values_are_written_out() -> None:
    same = ["10.0.0.1"]
    assert "&" not in render({"a": same, "b": same})
