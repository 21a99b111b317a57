"""Every verdict is traced to a raw output by one link, also where nothing could be asked; then none is met."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controls.evidence import Evidence, NotAssessedError, Store

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = {"database": "server", "web": "server", "app": "server", "backup_repository": "backup"}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "nobody", "network_addresses": ["127.0.0.1"]}
DECLARED = {
    "art32_environment": "unit",
    "network_management": ["198.51.100.5/32"],
    "network_exposure": [{"service": "https", "port": 443, "from": "anywhere", "on": "all"}],
    "art32_region": "eu-central-1",
    "art32_regions_allowed": ["eu-central-1"],
    "provider_contact": "privacy@example.test",
    "people": [],
    "services": [],
}


class Links(HTMLParser):
    """The targets of a page's links, and for each row of a table of checks those in it."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        super().__init__()
        self.all: list[str] = []
        self.rows: list[list[str]] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links, rows with a status and ids."""
        told = dict(attrs)
        self.ids.add(told.get("id") or "")
        if tag == "tr" and told.get("class"):
            self.rows.append([])
        if tag == "a":
            target = told["href"] or ""
            self.all.append(target)
            if self.rows:
                self.rows[-1].append(target)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit of an environment whose machines answer nobody: the connection is refused."""
    directory = tmp_path_factory.mktemp("environment")
    groups: dict[str, object] = {group: {"hosts": {host: {}}} for group, host in GROUPS.items()}
    hosts = {"all": {"children": groups, "hosts": {"server": DEAD, "backup": DEAD}}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    variables = directory / "group_vars" / "all.yml"
    variables.parent.mkdir()
    variables.write_text(yaml.safe_dump(DECLARED), encoding="utf-8")
    written = directory / "evidence" / "20261124T120000Z"
    options = ["-q", "--tb=short", f"--environment={directory}", f"--evidence={written}", "--kinds=all"]
    command = [sys.executable, "-m", "pytest", "-p", "controls.plugin", "-p", "no:cacheprovider", *options, "controls"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (written / "manifest.json.sig").exists(), told.stdout + told.stderr
    return written


@pytest.fixture(scope="module")
def report(bundle: Path) -> dict[str, Any]:
    """What the audit found."""
    return dict(json.loads((bundle / "report.json").read_text(encoding="utf-8")))


def test_nothing_is_met_where_nobody_answers(report: dict[str, Any]) -> None:
    checks = [check for control in report["controls"] for check in control["checks"]]
    assert not [check for check in checks if check["status"] == "not met"]
    met = [path for check in checks if check["status"] == "met" for path in check["evidence"]]
    assert all(path.startswith("raw/declaration/") for path in met)  # what a declaration alone can break, it can keep
    assert {control["status"] for control in report["controls"]} == {"not assessed"}
    reasons = [control["reason"] for control in report["controls"]]
    assert all(reasons)
    assert any("server cannot be reached over SSH" in reason for reason in reasons)


def test_every_finding_has_evidence_and_the_index_all_of_it(bundle: Path, report: dict[str, Any]) -> None:
    index = {entry["path"]: entry for entry in json.loads((bundle / "raw/index.json").read_text(encoding="utf-8"))}
    for control in report["controls"]:
        assert control["checks"], control
        for check in control["checks"]:
            assert check["evidence"], check
            for path in check["evidence"]:
                entry = index[path]
                assert entry["host"], entry
                assert entry["command"], entry
                assert re.search(r"\d", entry["tool"]), entry
                assert STAMP.fullmatch(entry["time"]), entry
                assert entry["sha256"] == sha256((bundle / path).read_bytes()).hexdigest()


def test_every_link_of_the_page_leads_somewhere(bundle: Path) -> None:
    links = Links()
    links.feed((bundle / "report.html").read_text(encoding="utf-8"))
    assert not [target for target in links.all if target.startswith("#") and target[1:] not in links.ids]
    files = [target for target in links.all if not target.startswith("#")]
    assert not [target for target in files if not (bundle / target).is_file()]


def test_every_verdict_is_one_link_from_its_raw_output(bundle: Path, report: dict[str, Any]) -> None:
    links = Links()
    links.feed((bundle / "report.html").read_text(encoding="utf-8"))
    checks = [check for control in report["controls"] for check in control["checks"]]
    assert len(links.rows) == len(checks)
    assert not [row for row in links.rows if not row or not row[0].startswith("raw/")]


def test_why_nobody_gets_in_is_kept_as_it_was_said(bundle: Path) -> None:
    assert "Connection refused" in (bundle / "raw" / "server" / "login.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("rc", "said"), [(127, "is missing"), (1, "ended with 1")])
def test_a_tool_that_fails_or_is_missing_says_nothing(tmp_path: Path, rc: int, said: str) -> None:
    kept: Evidence = Store(tmp_path).keep(host="server", name="a", command="nmap -p-", rc=rc, stdout="all is well")
    with pytest.raises(NotAssessedError, match=said):
        _ = kept.text
