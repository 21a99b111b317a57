"""What is declared is listed on the host, without anything that a secret could be told from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import manifest, model

LISTS = (
    *("packages", "directories", "files", "owns", "absent", "prepare"),
    *("validate", "units", "activate", "finish", "loaded", "probes"),
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def declared(contents: dict[str, bytes], *files: dict[str, Any], **given: Any) -> model.Request:  # noqa: ANN401 - as above
    entries = [{"owner": "root", "group": "root", "mode": "0644", "secret": False, **entry} for entry in files]
    parameters = {"name": "web", "timeout": 60, "keep_shipped": False, "manifest": True, **{name: [] for name in LISTS}}
    return manifest.requested({**parameters, "files": entries, "contents": model.pack(contents), **given})


def listed(request: model.Request) -> dict[str, Any]:
    found = next(entry for entry in request.files if entry.path == manifest.path_of("web"))
    assert (found.mode, found.owner) == (0o600, "root")
    return dict(json.loads(found.content))


def test_everything_declared_is_listed() -> None:
    unit = {"name": "web.service", "enabled": True, "state": "started"}
    directory = {"path": "/etc/web", "owner": "root", "group": "web", "mode": "0750"}
    request = declared(
        {"/etc/web/conf": b""},
        *({"dest": "/etc/web/conf"}, {"dest": "/etc/web/link", "link": "conf"}),
        units=[unit],
        directories=[directory],
        owns=["/etc/web/*"],
        absent=["/etc/old/x"],
        packages=["web"],
    )
    found = listed(request)
    assert found["files"]["/etc/web/conf"] == {"owner": "root", "group": "root", "mode": "0644", "sha256": EMPTY}
    assert found["files"]["/etc/web/link"]["link"] == "conf"
    assert found["directories"] == {"/etc/web": {"owner": "root", "group": "web", "mode": "0750"}}
    assert found["units"] == {"web.service": {"state": "started", "enabled": True, "masked": None}}
    assert (found["owns"], found["absent"], found["packages"]) == (["/etc/web/*"], ["/etc/old/x"], ["web"])


def test_a_request_without_it_has_no_list() -> None:
    request = declared({"/etc/web/conf": b""}, {"dest": "/etc/web/conf"}, manifest=False)
    assert [entry.path for entry in request.files] == ["/etc/web/conf"]


@pytest.mark.parametrize(
    ("content", "other", "is_told"),
    [
        (b"a=1\npassword=x\n", b"a=1\npassword=y\n", False),
        (b"a=1\npassword=x\n", b"a=2\npassword=x\n", True),
        (b"only the word itself\n", b"another one\n", False),
    ],
)
def test_no_secret_can_be_told_from_it(content: bytes, other: bytes, is_told: bool) -> None:
    entry = {"dest": "/etc/web/conf", "mode": "0600", "secret": True}
    one, two = (listed(declared({"/etc/web/conf": text}, entry))["files"]["/etc/web/conf"] for text in (content, other))
    assert (one != two) == is_told


def test_the_list_alone_makes_nothing_reload() -> None:
    activation = model.Activation(unit="web.service")
    assert model.concerns(activation, "/etc/web/conf")
    assert not model.concerns(activation, manifest.path_of("web"))
