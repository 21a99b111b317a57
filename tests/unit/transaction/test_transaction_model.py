"""What a transaction may declare, and how it is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import model
from ansible_collections.art32.server.plugins.module_utils.transaction.model import TransactionError

LISTS = (
    *("packages", "directories", "files", "owns", "absent", "prepare"),
    *("validate", "units", "activate", "finish", "loaded", "probes"),
)
FILE = {"dest": "/etc/x/y", "owner": "root", "group": "root", "mode": "0640", "secret": False}


def parameters(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever an option takes
    return {"name": "sshd", "timeout": 60, "keep_shipped": False, **{name: [] for name in LISTS}, **given}


def test_a_file_gets_its_content_from_the_controller() -> None:
    content = bytes(range(256))
    request = model.parse(parameters(files=[FILE], contents=model.pack({"/etc/x/y": content})))
    assert request.files[0].content == content
    assert request.files[0].mode == 0o640


def test_commands_are_split_without_a_shell() -> None:
    request = model.parse(parameters(loaded=["iptables -S 'IN PUT'", ["a b", "c"]]))
    assert request.loaded == (("iptables", "-S", "IN PUT"), ("a b", "c"))


def test_the_confirmations_time_stands_for_the_transactions() -> None:
    request = model.parse(parameters(confirm={"login": True, "timeout": 15}))
    assert (request.confirm, request.timeout) == (True, 15)


def test_units_are_named_once_in_order() -> None:
    units = [{"name": "b.service"}, {"name": "a.service"}]
    activate = [{"unit": "a.service", "verb": "reload"}, {"unit": "c.socket", "verb": "restart"}]
    assert model.parse(parameters(units=units, activate=activate)).unit_names() == (
        "b.service",
        "a.service",
        "c.socket",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "../x"}, "name: '../x' is not allowed"),
        ({"timeout": 2}, "timeout: 2 is not allowed; 5 to 3600 seconds are"),
        ({"files": [FILE]}, "/etc/x/y: one of template, content, src and link is needed"),
        ({"files": [{**FILE, "link": "x", "mode": "999"}]}, "mode '999' is not octal"),
        ({"files": [{**FILE, "link": "x"}] * 2}, "/etc/x/y: declared more than once"),
        ({"files": [{**FILE, "dest": "etc/x", "link": "x"}]}, "files: 'etc/x' is not allowed"),
        ({"absent": ["/etc"]}, "absent: '/etc' is not allowed; an absolute path below a top-level directory is"),
        ({"owns": ["/*"]}, "owns: '/*' is not allowed"),
        ({"validate": ["nginx -t -c {staged:/etc/n}"]}, "{staged:/etc/n}: no file with this dest is declared"),
        ({"validate": ["echo 'open"]}, "No closing quotation"),
        ({"validate": [{"command": "true", "chroot": "/"}]}, "not ['chroot']"),
        ({"activate": [{"verb": "reload"}]}, "activate: an entry has one of unit, command and daemon_reload, not none"),
        ({"activate": [{"unit": "x", "command": "y"}]}, "not ['unit', 'command']"),
        ({"probes": [{"address": "::1"}]}, "probes: an entry has one of unit, port, command, socket, not none"),
        ({"loaded": [""]}, "loaded: an empty command"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TransactionError) as error:
        model.parse(parameters(**given))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("patterns", "path", "concerned"),
    [
        ((), "/etc/any", True),
        (("/etc/postgresql/*",), "/etc/postgresql/17/main/pg_hba.conf", True),
        (("/etc/a.conf",), "/etc/b.conf", False),
    ],
)
def test_an_activation_may_concern_some_files_only(patterns: tuple[str, ...], path: str, *, concerned: bool) -> None:
    assert model.concerns(model.Activation(unit="x.service", files=patterns), path) is concerned
