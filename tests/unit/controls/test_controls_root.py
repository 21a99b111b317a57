"""What acts as root beside what is declared, judged from what a host printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controls import declared
from controls.judges import root

ROOT = {"owner": "root", "group": "root", "mode": "0755"}
DENIES = [f"{stack} requisite pam_deny.so" for stack in ("auth", "account", "password", "session")]
TOLD: dict[str, Any] = {
    "strangers": {},
    "privileged": {"/usr/bin/su": {**ROOT, "mode": "4755", "rights": "its owner's", "package": "yes"}},
    "guarded": {"/etc": ROOT, "/etc/shadow": {"owner": "root", "group": "shadow", "mode": "0640"}},
    "preloaded": [],
    "variables": ["LANG"],
    "pam": ["auth\t[success=2 default=ignore]\tpam_unix.so nullok", "session\t[default=1]\t\tpam_permit.so", *DENIES],
    "profiles": ["[success=end default=ignore]\tpam_unix.so nullok", "requisite\t\tpam_deny.so"],
}
ACCOUNTS = "root:x:0:0::/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\npostgres:x:105:106::/:/bin/sh"
GROUPS = "root:x:0:\njoe:x:1000:\nssl-cert:x:104:postgres\ndisk:x:6:"
KNOWN = ["/usr/bin/su"]


def unseen(accounts: str = ACCOUNTS, groups: str = GROUPS, **changed: Any) -> list[str]:  # noqa: ANN401 - any part
    return root.unseen(json.dumps({**TOLD, **changed}), accounts, groups, KNOWN)


def test_a_host_as_debian_makes_it_has_no_other_way_to_root() -> None:
    assert unseen() == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"accounts": f"{ACCOUNTS}\ntoor:x:0:0::/root:/bin/sh"}, "toor is root by another name"),
        ({"accounts": f"{ACCOUNTS}\nann:x:1000:9::/:/bin/sh"}, "joe and ann are one account"),
        ({"accounts": ACCOUNTS.replace("1000:1000", "1000:6")}, "joe is in the group disk"),
        ({"groups": f"{GROUPS}joe"}, "joe is in the group disk"),
        ({"groups": GROUPS.replace(":postgres", ":postgres,joe")}, "joe is in the group ssl-cert"),
        ({"preloaded": ["/srv/x.so"]}, "/srv/x.so is loaded into every program (/etc/ld.so.preload)"),
        ({"managers": ["joe administers the group disk"]}, "joe administers the group disk"),
        ({"variables": ["LD_PRELOAD"]}, "LD_PRELOAD is set for every session"),
        ({"guarded": {"/etc": {**ROOT, "mode": "0757"}}}, "others than root can change /etc"),
        ({"guarded": {"/etc": {**ROOT, "group": "joe", "mode": "0775"}}}, "others than root can change /etc"),
        ({"guarded": {"/etc": {**ROOT, "owner": "joe"}}}, "others than root can change /etc"),
        ({"guarded": {"/etc/shadow": {**ROOT, "mode": "0644"}}}, "anybody can read /etc/shadow"),
        ({"groups": f"{GROUPS}\nadm:x:4:joe"}, "joe is in the group adm"),
        ({"groups": f"{GROUPS}\nart32-archive:x:990:pgbackrest,joe"}, "joe is in the group art32-archive"),
        ({"pam": DENIES[1:]}, "PAM lets in whom nothing lets in: auth"),
        *(
            ({"pam": [line]}, f"PAM asks a stranger at each login: {line}")
            for line in (
                "auth sufficient pam_permit.so",
                "auth [default=2] pam_permit.so",
                "auth required pam_exec.so x",
            )
        ),
    ],
)
def test_each_way_to_root_is_named(told: dict[str, Any], said: str) -> None:
    assert said in unseen(**told)


@pytest.mark.parametrize(("path", "package"), [("/usr/bin/find", "yes"), ("/usr/bin/su", "no")])
def test_a_program_with_rights_of_its_own_is_known_and_a_packages(path: str, package: str) -> None:
    program = {**ROOT, "mode": "4755", "rights": "its owner's", "package": package}
    assert unseen(privileged={path: program}) == [f"{path} runs with rights of its own (its owner's, 4755, root:root)"]


UNIT, WANTED = "/etc/systemd/system/x.service", "/etc/systemd/system/multi-user.target.wants/x.service"
STRANGERS = {UNIT: "comes from no package", WANTED: f"leads to {UNIT}"}


def undeclared(
    strangers: dict[str, str],
    known: list[str] | None = None,
    believed: dict[str, str] | None = None,
    **noted: Any,  # noqa: ANN401 - any part
) -> list[str]:
    listed = {
        "declared": {"files": {}, "owns": [], "absent": [], "units": {}, **noted},
        "found": {"drop_ins": noted.get("drop_ins", [])},
    }
    return root.undeclared(
        json.dumps({**TOLD, "strangers": strangers, "believed": believed or {}}), json.dumps([listed]), known or []
    )


def test_what_nobody_laid_down_is_named_with_what_starts_it() -> None:
    assert undeclared(STRANGERS) == [f"{UNIT} comes from no package", f"{WANTED} leads to {UNIT}"]


@pytest.mark.parametrize(
    "noted",
    [
        {"files": {UNIT: {}}},
        {"units": {"x.service": {}}},
        {"owns": ["/etc/systemd/system/x*"]},
        {"absent": [UNIT]},
        {"known": [UNIT]},
    ],
)
def test_what_a_role_laid_down_or_looks_after_is_its_own_matter(noted: dict[str, Any]) -> None:
    assert undeclared(STRANGERS, **noted) == []


def test_what_changes_a_roles_unit_is_told_by_that_role() -> None:
    drop_in = "/run/systemd/system/x.service.d/y.conf"
    assert undeclared({drop_in: "comes from no package"}, drop_ins=[drop_in]) == []


@pytest.mark.parametrize("by", ["anybody", "a key of its own", "/srv/key.asc"])
def test_whom_apt_believes_is_a_packages_or_declared(by: str) -> None:
    line = "deb [x] https://archive.example.test stable main"
    assert undeclared({}, believed={line: by}) == [f"apt believes {by}: {line}"]
    assert undeclared({}, believed={line: by}, known=["/srv/key.asc"]) == (
        [] if by.startswith("/") else [f"apt believes {by}: {line}"]
    )


def test_each_known_pattern_has_a_reason_and_is_a_path() -> None:
    known = declared.of_root()
    assert set(known) == {"programs", "files"}
    for patterns in known.values():
        assert all(path.startswith("/") and reason for path, reason in patterns.items())
