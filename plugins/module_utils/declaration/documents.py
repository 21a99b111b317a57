# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commented YAML files: values are exchanged, the operator's comments stay."""

from __future__ import annotations

__all__ = ["has_key", "plain", "render", "rewrite"]

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import yaml

INDENT = 2
WIDTH = 150
LONGEST_FLOW = 120


class _Dumper(yaml.SafeDumper):
    """Writes as people do: items indented below their key, texts of several lines as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists too."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002
        """Write equal values out."""
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:  # noqa: ANN401
        """Give every key of a long mapping a line of its own."""
        node = super().represent_mapping(tag, mapping, flow_style)
        if sum(len(f"{key}: {value}, ") for key, value in mapping.items()) > LONGEST_FLOW:
            node.flow_style = False
        return node

    def represent(self, data: Any) -> None:  # noqa: ANN401
        """Let the document's own mapping have a line for each key."""
        node = self.represent_data(data)
        if isinstance(node, yaml.MappingNode):
            node.flow_style = False
        self.serialize(node)
        self.represented_objects = {}
        self.object_keeper = []
        self.alias_key = None


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if "'" in text or "{{" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def render(value: Any, indent: int = 0) -> str:  # noqa: ANN401 - any YAML value
    """A value as YAML, every line indented; the innermost lists and mappings on one line."""
    text = yaml.dump(
        plain(value), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=WIDTH, allow_unicode=True
    )
    return "".join(f"{' ' * indent}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def rewrite(text: str, path: Sequence[str], value: Any) -> str:  # noqa: ANN401 - any YAML value
    """The document with another value below a path of keys; a missing last key is added at the end.

    Comments before the key stay, those inside the old value go with it.

    Raises KeyError when a key before the last one is missing.
    """
    lines = text.splitlines(keepends=True)
    start, end = 0, len(lines)
    for depth, key in enumerate(path[:-1]):
        found = _block(lines, start, end, depth * INDENT, key)
        if found is None:
            raise KeyError(key)
        start, end = found[0] + 1, found[1]
    indent = (len(path) - 1) * INDENT
    replaced = _block(lines, start, end, indent, path[-1]) or (end, end)
    return "".join([*lines[: replaced[0]], render({path[-1]: value}, indent), *lines[replaced[1] :]])


def has_key(text: str, key: str) -> bool:
    """Whether a document has a key at its top level."""
    lines = text.splitlines(keepends=True)
    return _block(lines, 0, len(lines), 0, key) is not None


def plain(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """The value without Ansible's own types, which no dumper knows."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | date):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _block(lines: Sequence[str], start: int, end: int, indent: int, key: str) -> tuple[int, int] | None:
    """First line of a key and the line after the last of its value."""
    opening = f"{' ' * indent}{key}:"
    first = next((index for index in range(start, end) if lines[index].startswith(opening)), None)
    if first is None:
        return None
    after = first + 1
    for index in range(first + 1, end):
        line = lines[index]
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        if depth < indent or (depth == indent and not content.startswith("- ")):
            break
        after = index + 1
    return first, after
