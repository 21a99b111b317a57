"""What the roles noted on a host, compared with what is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controls.judges import manifests

FILE = {"owner": "root", "group": "root", "mode": "0644", "sha256": "aa"}
SECRET = {"owner": "root", "group": "root", "mode": "0600", "hmac_sha256": "aa"}
SERVICE = {
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "ConditionResult": "yes",
    "FragmentPath": "/usr/lib/systemd/system/web.service",
    "DropInPaths": "/etc/systemd/system/web.service.d/art32.conf",
    "NeedDaemonReload": "no",
}
DROP_IN = "/etc/systemd/system/web.service.d/art32.conf"
DECLARED: dict[str, Any] = {
    "name": "web",
    "files": {"/etc/web": FILE, DROP_IN: FILE, "/etc/link": {**FILE, "link": "a"}, "/etc/secret": SECRET},
    "directories": {"/etc/dir": {"owner": "root", "group": "root", "mode": "0755"}},
    "units": {"web.service": {"state": "started", "enabled": True, "masked": None}},
}
FOUND: dict[str, Any] = {
    "files": {
        "/etc/web": {**FILE, "kind": "file"},
        DROP_IN: {**FILE, "kind": "file"},
        "/etc/link": {**FILE, "mode": "0777", "kind": "link", "link": "a"},
        "/etc/secret": {**SECRET, "kind": "file"},
    },
    "directories": {"/etc/dir": {"kind": "directory", "owner": "root", "group": "root", "mode": "0755"}},
    "absent": [],
    "strangers": [],
    "units": {"web.service": SERVICE},
    "drop_ins": ["/run/systemd/system.control/web.service.d/50-IPAddressAllow.conf"],
    "packages": [],
}


def told(**changed: Any) -> str:  # noqa: ANN401 - whatever a part is
    return json.dumps([{"declared": DECLARED, "found": {**FOUND, **changed}}])


def test_a_host_as_it_was_declared_has_no_problem() -> None:
    assert manifests.problems(told(), "web") == []
    assert manifests.problems(told(), "mail") is None


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"files": {**FOUND["files"], "/etc/web": None}}, "/etc/web is missing"),
        (
            {"files": {**FOUND["files"], "/etc/web": {**FILE, "kind": "file", "sha256": "bb"}}},
            "/etc/web is not what was declared",
        ),
        (
            {"files": {**FOUND["files"], "/etc/web": {**FILE, "kind": "file", "mode": "0666"}}},
            "/etc/web has another owner or mode (mode 0666, not 0644)",
        ),
        (
            {"files": {**FOUND["files"], "/etc/web": {**FILE, "kind": "link", "link": "a"}}},
            "/etc/web is something else than what is declared",
        ),
        (
            {"files": {**FOUND["files"], "/etc/link": {**FILE, "kind": "link", "link": "b"}}},
            "/etc/link is not what was declared",
        ),
        (
            {"files": {**FOUND["files"], "/etc/secret": {**SECRET, "kind": "file", "hmac_sha256": "bb"}}},
            "/etc/secret is not what was declared",
        ),
        ({"directories": {"/etc/dir": None}}, "/etc/dir is missing"),
        ({"absent": ["/etc/old"]}, "/etc/old is there, which may not be"),
        ({"strangers": ["/etc/web.d/x"]}, "/etc/web.d/x is there, which nobody declared"),
        ({"packages": ["web"]}, "web is not installed"),
        ({"drop_ins": ["/etc/x.d/y.conf"]}, "/etc/x.d/y.conf changes a unit, which nobody declared"),
        ({"units": {"web.service": {**SERVICE, "ActiveState": "failed"}}}, "web.service is not running"),
        ({"units": {"web.service": {**SERVICE, "UnitFileState": "masked"}}}, "web.service is not started at boot"),
        (
            {"units": {"web.service": {**SERVICE, "FragmentPath": "/etc/systemd/system/web.service"}}},
            "web.service comes from /etc/systemd/system/web.service",
        ),
        (
            {"units": {"web.service": {**SERVICE, "DropInPaths": "/run/x.conf"}}},
            "web.service is changed by /run/x.conf",
        ),
        (
            {"units": {"web.service": {**SERVICE, "NeedDaemonReload": "yes"}}},
            "web.service has files that systemd has not read",
        ),
    ],
)
def test_whatever_differs_is_named(changed: dict[str, Any], problem: str) -> None:
    assert manifests.problems(told(**changed), "web") == [problem]


def test_what_systemd_leaves_out_in_a_container_need_not_run() -> None:
    skipped = {**SERVICE, "ActiveState": "inactive", "ConditionResult": "no"}
    assert manifests.problems(told(units={"web.service": skipped}), "web") == []


def test_patterns_choose_what_is_looked_at() -> None:
    changed = told(files={**FOUND["files"], "/etc/web": None}, absent=["/etc/old"])
    assert manifests.problems(changed, "web", only=["/etc/old"]) == ["/etc/old is there, which may not be"]
    assert manifests.problems(changed, "web", without=["/etc/old"]) == ["/etc/web is missing"]
