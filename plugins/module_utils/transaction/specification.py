# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module's options, as its documentation has them."""

from __future__ import annotations

from typing import Any

__all__ = ["SPECIFICATION"]

_OWNER = {"type": "str", "default": "root"}
_STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
_RAWS: dict[str, Any] = {"type": "list", "elements": "raw", "default": []}


def _entries(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


SPECIFICATION: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "packages": _STRINGS,
    "directories": _entries(
        path={"type": "path", "required": True},
        owner=_OWNER,
        group=_OWNER,
        mode={"type": "str", "default": "0755"},
    ),
    "files": _entries(
        dest={"type": "path", "required": True},
        template={"type": "str"},
        vars={"type": "dict"},
        content={"type": "str", "no_log": True},
        content_base64={"type": "str", "no_log": True},
        src={"type": "str"},
        link={"type": "str"},
        owner=_OWNER,
        group=_OWNER,
        mode={"type": "str", "default": "0644"},
        secret={"type": "bool", "default": False},
    ),
    "owns": _STRINGS,
    "keep_shipped": {"type": "bool", "default": False},
    "absent": {"type": "list", "elements": "path", "default": []},
    "manifest": {"type": "bool", "default": False},
    "prepare": _entries(
        command={"type": "raw", "required": True},
        creates={"type": "list", "elements": "path", "required": True},
        timeout={"type": "int", "default": 300},
    ),
    "validate": _RAWS,
    "units": _entries(
        name={"type": "str", "required": True},
        state={"type": "str", "choices": ["started", "stopped"]},
        enabled={"type": "bool"},
        masked={"type": "bool"},
    ),
    "activate": _entries(
        unit={"type": "str"},
        verb={
            "type": "str",
            "choices": ["reload", "restart", "reload-or-restart", "start", "stop"],
            "default": "reload",
        },
        command={"type": "raw"},
        undo={"type": "raw"},
        daemon_reload={"type": "bool", "default": False},
        files=_STRINGS,
        timeout={"type": "int", "default": 60},
    ),
    "finish": _entries(
        command={"type": "raw", "required": True},
        files=_STRINGS,
        timeout={"type": "int", "default": 60},
    ),
    "loaded": _RAWS,
    "probes": _entries(
        unit={"type": "str"},
        port={"type": "int"},
        address={"type": "str", "default": "127.0.0.1"},
        socket={"type": "path"},
        command={"type": "raw"},
        timeout={"type": "int", "default": 10},
    ),
    "confirm": {
        "type": "dict",
        "options": {
            "login": {"type": "bool", "default": True},
            "user": {"type": "str"},
            "private_key_file": {"type": "str"},
            "timeout": {"type": "int"},
            "commands": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"command": {"type": "raw", "required": True}, "stdin": {"type": "str", "no_log": True}},
            },
        },
    },
    "timeout": {"type": "int", "default": 60},
    "step": {"type": "str", "choices": ["apply", "commit", "finish", "inquire", "revert"], "default": "apply"},
    "token": {"type": "str", "no_log": False},
    "owner": {"type": "str"},
    "contents": {"type": "str", "no_log": True},
}
