"""What is declared is listed on the host, without anything that a secret could be told from."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.art32.server.plugins.module_utils.transaction import manifest, model

if TYPE_CHECKING:
    from pathlib import Path

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


def digest_of_a_secret(content: bytes, **entry: Any) -> str:  # noqa: ANN401 - as above
    request = declared({"/etc/web/conf": content}, {"dest": "/etc/web/conf", "mode": "0600", **entry})
    told = listed(request)["files"]["/etc/web/conf"]
    assert set(told) == {"owner", "group", "mode", "hmac_sha256"}
    return str(told["hmac_sha256"])


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's key, which is not there yet."""
    monkeypatch.setattr(manifest, "KEY", str(tmp_path / "key"))
    return tmp_path / "key"


@pytest.mark.parametrize("entry", [{"secret": True}, {"mode": "0640"}, {"secret": True, "mode": "0644"}])
def test_the_host_knows_a_secret_again(key: Path, entry: dict[str, Any]) -> None:
    key.write_text("a" * 64 + "\n", encoding="utf-8")
    assert digest_of_a_secret(b"one", **entry) == digest_of_a_secret(b"one", **entry)
    assert digest_of_a_secret(b"one", **entry) != digest_of_a_secret(b"two", **entry)


def test_nobody_without_its_key_can_tell_a_secret(key: Path) -> None:
    key.write_text("a" * 64 + "\n", encoding="utf-8")
    here = digest_of_a_secret(b"one")
    key.write_text("b" * 64 + "\n", encoding="utf-8")
    assert digest_of_a_secret(b"one") != here
    assert hashlib.sha256(b"one").hexdigest() != here


@pytest.mark.parametrize("broken", [None, b"", b"a" * 63 + b"\n", b"z" * 64 + b"\n"])
def test_a_key_is_made_where_there_is_none(key: Path, broken: bytes | None) -> None:
    if broken is not None:
        key.write_bytes(broken)
    request = declared({})
    made = next(entry for entry in request.files if entry.path == str(key))
    assert (made.mode, made.owner, made.secret) == (0o600, "root", True)
    assert re.fullmatch(rb"[0-9a-f]{64}\n", made.content)
    assert key.exists() == (broken is not None)  # the transaction writes it, and takes it back
    key.write_bytes(made.content)
    assert made in declared({}).files


def test_the_list_alone_makes_nothing_reload() -> None:
    activation = model.Activation(unit="web.service")
    assert model.concerns(activation, "/etc/web/conf")
    assert not model.concerns(activation, manifest.path_of("web"))
    assert not model.concerns(activation, manifest.KEY)
