"""The watch: what it tells, whom the logs name, what it is given, and what it may ask."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from importlib.machinery import SourceFileLoader
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controls import sources, unattended, watch
from controls.environment import Environment, recalled
from controls.judges.changes import NOBODY, Trace, trace
from controls.wheel import wheel

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
# Imports every module of the checks where nothing else of the project is, and of others only what is named.
IMPORTED = """
import importlib, sys
from importlib.metadata import packages_distributions
from pathlib import Path
known, named = packages_distributions(), set(sys.argv[1:])
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        made_by = {other.lower().replace("_", "-") for other in known.get(name.partition(".")[0], ())}
        if made_by and not made_by & named:
            raise ImportError(f"{name} is not pinned for the watch")
sys.meta_path.insert(0, Finder)
for path in sorted(Path("controls").glob("*.py")):
    importlib.import_module(f"controls.{path.stem}")
"""
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CERTIFICATE = (
    "publickey 198.51.100.5 port 4711 ssh2: ED25519-CERT SHA256:abc"
    " ID jane@unit ticket 4711 (serial 17) CA ED25519 SHA256:def"
)


def act(minute: int, kind: str, account: str, text: str, **more: str) -> dict[str, Any]:
    return {"time": NOON.timestamp() + 60 * minute, "kind": kind, "account": account, "text": text, **more}


def ran(minute: int, account: str, program: str) -> dict[str, Any]:
    return act(minute, "ran", account, program, **{"as": "root"})


def report(**statuses: str) -> dict[str, Any]:
    """A report of one host; NET_1 stands for NET-1."""
    found = [
        {"id": name.replace("_", "-"), "host": "server", "status": status, "reason": "" if status == "met" else "so"}
        for name, status in statuses.items()
    ]
    return {"time": "2026-11-24T12:00:00Z", "hosts": ["server"], "controls": found}


def test_logs_name_who_became_root_and_with_which_certificate() -> None:
    acts = [
        act(-9, "login", "jane", CERTIFICATE),
        ran(-8, "jane", "/usr/sbin/ufw"),
        act(-8, "file", "", "/etc/ufw/user.rules"),
        act(-7, "package", "", "upgrade nginx:amd64"),
        ran(1, "joe", "/usr/bin/vi"),
        ran(-6, "art32-auditor", "/usr/local/lib/art32/observe"),
    ]
    found = trace(json.dumps(acts), until=NOON, without=["art32-auditor"])
    assert found.who == "jane (certificate 'jane@unit ticket 4711', serial 17, from 198.51.100.5)"
    assert list(found.lines) == [
        "11:51:00 jane logged in (certificate 'jane@unit ticket 4711', serial 17, from 198.51.100.5)",
        "11:52:00 jane ran /usr/sbin/ufw as root",
        "11:52:00 /etc/ufw/user.rules changed",
        "11:53:00 package: upgrade nginx:amd64",
    ]


@pytest.mark.parametrize(
    ("acts", "who"),
    [
        ([], NOBODY),
        ([act(-9, "login", "jane", CERTIFICATE), act(-8, "file", "", "/etc/hosts")], NOBODY),
        (
            [
                act(-99, "session", "jane", CERTIFICATE),
                act(-99, "session", "joe", CERTIFICATE),
                ran(-9, "jane", "/bin/sh"),
            ],
            "jane (certificate 'jane@unit ticket 4711', serial 17, from 198.51.100.5)",
        ),
        ([ran(-9, "jane", "/bin/sh")], "jane (logged in long before the last audit)"),
        (
            [act(-9, "login", "root", "publickey 203.0.113.9 port 5 ssh2: ED25519 SHA256:abc")],
            "root (publickey without a certificate, from 203.0.113.9)",
        ),
        (
            [ran(-9, "jane", "/bin/sh"), ran(-8, "joe", "Ansible")],
            "jane (logged in long before the last audit) or joe (logged in long before the last audit)",
        ),
    ],
)
def test_logs_accuse_nobody_whom_they_do_not_name(acts: list[dict[str, Any]], who: str) -> None:
    assert trace(json.dumps(acts), until=NOON).who == who


def test_message_names_promise_host_verdicts_reason_repair_and_who() -> None:
    logs = {"server": Trace(who="jane", lines=["11:52:00 jane ran /usr/sbin/ufw as root"])}
    message = watch.compose(report(NET_1="met", SSH_1="met"), report(NET_1="not met", SSH_1="met"), logs)
    assert message
    assert message.title == "NET-1 on server: met -> not met"
    told = "\n".join(message.lines)
    assert "NET-1 The platform runs on AWS" in told
    assert "SSH-1" not in told
    for line in (
        "host:   server",
        "before: met",
        "now:    not met",
        "why:    so",
        "mend:   Declare the",
        "who:    jane",
    ):
        assert f"  {line}" in told
    assert "  11:52:00 jane ran /usr/sbin/ufw as root" in told


def test_one_message_has_all_that_changed_and_none_is_sent_for_nothing() -> None:
    before, after = report(NET_1="met", SSH_1="not met"), report(NET_1="not assessed", SSH_1="met")
    message = watch.compose(before, after, {})
    assert message
    assert message.title == "2 verdicts changed on server: NET-1, SSH-1"
    assert "\n".join(message.lines).count("mend:") == 1
    assert watch.compose(after, after, {}) is None


def test_message_waits_until_somebody_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, found = tmp_path / "state", iter(["met", "not met", "not met", "met"])

    def audited(environment: Path, directory: Path, kinds: str) -> Path:
        bundle = directory / f"20261124T12000{len(list(directory.glob('2*')))}Z"
        (bundle / "raw").mkdir(parents=True)
        (bundle / "raw" / "index.json").write_text("[]", encoding="utf-8")
        (bundle / "report.json").write_text(json.dumps(report(NET_1=next(found))), encoding="utf-8")
        return bundle

    heard: list[str] = []
    deaf = True

    def tell(message: watch.Message) -> None:
        if deaf:
            raise watch.WatchError("the relay is away")
        heard.append(message.title)

    state.mkdir()
    monkeypatch.setattr(watch, "audit", audited)
    monkeypatch.setattr(watch, "tell", tell)
    monkeypatch.setattr(watch, "check_certificate", lambda *_: None)
    watch.watch(state, {"keep": 3})
    with pytest.raises(watch.WatchError):
        watch.watch(state, {"keep": 3})
    deaf = False
    watch.watch(state, {"keep": 3})
    watch.watch(state, {"keep": 3})
    assert heard == ["NET-1 on server: met -> not met", "NET-1 on server: not met -> met"]
    assert len(list((state / "evidence").iterdir())) == 3


@pytest.fixture(scope="module")
def observe() -> ModuleType:
    """The program that answers the watch on each host, with what it imports there."""
    place = str(ROOT / "controls" / "remote")
    sys.path.insert(0, place)
    try:
        loader = SourceFileLoader("observe", str(ROOT / "roles" / "watch" / "files" / "usr/local/lib/art32/observe"))
        spec = importlib.util.spec_from_loader("observe", loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.path.remove(place)
    return module


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("sshd -T", True),
        ("sshd -T; id", False),
        ("id", False),
        ("", False),
        (sources.fill(sources.LATER["log-of-own-requests"], mark="0123456789abcdef"), True),
        (sources.fill(sources.LATER["log-of-own-requests"], mark="; cat /etc/shadow; #"), False),
        (sources.fill(sources.LATER["changes"], since="1795520814"), True),
        (sources.fill(sources.LATER["changes"], since="1; id"), False),
        (sources.LATER["changes"], False),
    ],
)
def test_host_runs_what_is_listed_to_the_letter(observe: ModuleType, asked: str, *, allowed: bool) -> None:
    lines = ["sshd -T", *sources.LATER.values()]
    assert observe.may_run(asked, lines, sources.PLACES) is allowed


def test_watch_is_given_no_secret_and_a_login_of_its_own(tmp_path: Path) -> None:
    shared = {
        "network_management": ["198.51.100.0/24"],
        "vault_database_passwords": {"jane": "canary-1"},
        "postgresql_passwords": "{{ vault_database_passwords }}",
        "base_mail_user": "{{ vault_database_passwords.jane }}",
        "access_ca": "/keys/ca",
        "provider_name": "Example",
    }
    hosts = {
        "server": {**shared, "network_addresses": ["203.0.113.10"], "ansible_user": "jane"},
        "backup": {**shared, "network_addresses": ["203.0.113.11"]},
        "visitor": {**shared, "ansible_user": "admin"},
    }
    groups = {"all": [*hosts], "web": ["server"], "backup_repository": ["backup"], "vantage_visitor": ["visitor"]}
    given = unattended.declaration(Environment(directory=tmp_path, groups=groups, hostvars=hosts), "backup")
    assert "canary-1" not in json.dumps(given)
    assert given["variables"]["server"]["provider_name"] == "Example"
    assert not {"access_ca", "postgresql_passwords"} & given["variables"]["server"].keys()
    assert given["variables"]["server"]["ansible_user"] == "art32-auditor"
    (tmp_path / "declaration.json").write_text(json.dumps(given), encoding="utf-8")
    read = recalled(tmp_path)
    assert (read.managed, read.hosts("visitor"), read.hosts("management")) == (["server", "backup"], ["watch"], [])
    assert read.addresses("watch") == ["203.0.113.11"]


def test_wheel_is_the_same_for_the_same_files_and_has_all_checks() -> None:
    (name, content), again = wheel(), wheel()
    assert (name, content) == again
    names = zipfile.ZipFile(BytesIO(content)).namelist()
    for path in [
        *(ROOT / "controls").glob("*.py"),
        ROOT / "controls" / "catalogue.yml",
        ROOT / "scripts" / "verify-bundle",
    ]:
        assert f"ansible_collections/art32/server/{path.relative_to(ROOT)}" in names


def test_checks_need_nothing_but_the_wheel_and_what_is_pinned_for_the_watch(tmp_path: Path) -> None:
    zipfile.ZipFile(BytesIO(wheel()[1])).extractall(tmp_path)
    place = tmp_path / "ansible_collections" / "art32" / "server"
    requirements = (ROOT / "roles" / "watch" / "files" / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"(?m)^([a-z0-9-]+)==", requirements)
    command = [sys.executable, "-c", IMPORTED, *pinned]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
