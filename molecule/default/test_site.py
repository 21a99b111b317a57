"""The whole site as an operator, a visitor and an auditor meet it, after the converge and after a reboot."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {22, 80, 443}
CUSTOMER = "synthetic@example.test"  # stands for a person of a customer: no staff
OWN_DEEDS = {"raw/server/activity-of-own-record.txt", "raw/mailbox/help.txt"}
Scans = dict[tuple[str, str], set[int]]
# One for each module that changes a host, from the last role to the first: a look ends where it first finds something.
DIFFERENCES = [
    ("backup", "systemctl stop art32-backup@server.timer", "art32-backup@server.timer"),
    ("server", "systemctl stop art32-platform.socket art32-platform.service", "platform: restart"),
    ("server", "chmod 0600 /etc/art32/services/platform.manage", "app: "),
    (
        "server",
        "cd /etc/nginx/certificates; for n in *.test; do ln -sfn versions/$n-placeholder $n; done; nginx -s reload",
        "nginx does not serve it",
    ),
    ("server", "echo >> /etc/nginx/nginx.conf", "nginx: Change the content of /etc/nginx/nginx.conf"),
    ("server", 'runuser -u postgres -- psql -qc "alter role platform createdb"', "platform"),
    ("server", "touch /etc/ssh/principals/mallory", "sshd: "),
    ("server", "iptables -I INPUT -p tcp --dport 8080 -j ACCEPT", "firewall: "),
    ("server", "usermod --shell /bin/sh jane", "account jane"),
    ("server", "systemctl disable --now apt-daily-upgrade.timer", "base: "),
]
GUARDS_ON = """
  DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tgrelid::regclass AS log, tgname FROM pg_trigger WHERE tgname LIKE 'activity\\_%' LOOP
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', one.log, one.tgname);
    END LOOP;
  END $$;
"""
ECHO = """
import socket
heard = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
heard.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
heard.bind(("::", 53))
while True:
    heard.sendto(b"heard", heard.recvfrom(2000)[1])
"""
ASK = """
import socket, sys
asking = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(5)
asking.sendto(b"?", (sys.argv[1], 53))
print(asking.recv(100).decode())
"""
DRILL = "/var/lib/art32/drill/report.json"
TROUBLE = re.compile(r"\[(WARNING|DEPRECATION WARNING|ERROR)\]", re.IGNORECASE)


@pytest.fixture(scope="session")
def environment(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("environment")).resolve()


def playbook(environment: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook as an operator would, with every warning and deprecation shown."""
    shown = {
        "ANSIBLE_DEPRECATION_WARNINGS": "true",
        "ANSIBLE_SYSTEM_WARNINGS": "true",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    return subprocess.run(
        ["ansible-playbook", "-i", str(environment), *arguments],
        cwd=ROOT,
        env={**ours, **shown},
        capture_output=True,
        text=True,
        check=False,
    )


def look(environment: Path) -> dict[str, list[str]]:
    """What one look at every host finds, by host."""
    done = playbook(environment, "playbooks/login.yml", "playbooks/survey.yml", "-v")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    answers = re.findall(r"^ok: \[(\w+)\] => (\{.*\bsettled\b.*\})$", done.stdout, re.MULTILINE)
    return {name: json.loads(answer)["differences"] for name, answer in answers}


def open_ports(vantage: Machine, address: str) -> set[int]:
    """Every TCP port that answers, of all 65535, at one address."""
    family = "-6" if ":" in address else "-4"
    scan = f"sudo nmap {family} -p- -Pn -n -sS -T4 --min-rate 6000 --max-retries 2 -oG - {address}"
    said = vantage.run(scan)
    assert said.rc == 0, said.stderr
    return {int(port) for port in re.findall(r"(\d+)/open/tcp", said.stdout)}


@pytest.fixture(scope="session")
def scans(server: Machine, visitor: Machine, management: Machine) -> Scans:
    """What answers, by vantage and address; they wait for what is dropped, so all at once."""
    asked = [(vantage, address) for vantage in (visitor, management) for address in server.addresses]
    with ThreadPoolExecutor(len(asked)) as pool:
        found = pool.map(lambda one: open_ports(*one), asked)
    return {(vantage.name, address): ports for (vantage, address), ports in zip(asked, found, strict=True)}


def test_the_audit_finds_every_promise_kept(environment: Path, tmp_path: Path) -> None:
    done = playbook(
        environment, "playbooks/audit.yml", "-e", "audit_kinds=exercise", "-e", f"audit_directory={tmp_path}"
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    report: dict[str, Any] = json.loads((tmp_path / "latest" / "report.json").read_text(encoding="utf-8"))
    open_questions = {
        (control["id"], check["name"])
        for control in report["controls"]
        for check in control["checks"]
        if check["status"] != "met"
    }
    unproved = {name for name, _ in open_questions}
    assert unproved == {"LOC-1", "NET-1", "NET-2"}
    assert all("security group" in name for control, name in open_questions if control.startswith("NET"))
    assert (tmp_path / "latest" / "report.html").stat().st_size < 300_000
    believe(tmp_path / "latest", environment)


def test_the_controller_itself_may_be_the_visitor(environment: Path, server: Machine, tmp_path: Path) -> None:
    """Who has no machine to look from looks from the controller, and the report says so."""
    own = tmp_path / "environment"
    shutil.copytree(environment, own)
    hosts = yaml.safe_load((own / "hosts.yml").read_text(encoding="utf-8"))
    routes = [subprocess.check_output(["ip", "-j", "route", "get", address]) for address in server.addresses]
    addresses = [json.loads(route)[0]["prefsrc"] for route in routes]
    hosts["all"]["hosts"]["visitor"] = {"ansible_connection": "local", "network_addresses": addresses}
    (own / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    done = playbook(own, "playbooks/audit.yml", "-e", f"audit_directory={tmp_path / 'evidence'}")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    page = (tmp_path / "evidence" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "Tried from outside, by the controller itself." in page


def believe(bundle: Path, environment: Path) -> None:
    """What an outsider does with a bundle: verify it, judge it again, read its first screen, look for secrets in it."""
    annex = (bundle / "annex.md").read_text(encoding="utf-8")
    signer = re.search(r"^\| Audits are signed by \| (\S+) \|$", annex, re.MULTILINE)
    assert signer, annex
    for words in (["verify-bundle", str(bundle), signer[1]], ["rejudge", str(bundle)]):
        command = [str(ROOT / "scripts" / words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    page = (bundle / "report.html").read_text(encoding="utf-8")
    assert page.count("<dt>") == 10
    assert "Not known" not in page
    index = json.loads((bundle / "raw" / "index.json").read_text(encoding="utf-8"))
    assert not [entry["path"] for entry in index if not re.search(r"\d", entry["tool"])]
    kept = {str(path.relative_to(bundle)): path.read_bytes().decode() for path in bundle.rglob("*") if path.is_file()}
    for secret in secrets_of(environment):
        assert not [name for name, text in kept.items() if secret in text]
    # The search finds what is there: the checks that work as the synthetic account keep what they did.
    assert {name for name, text in kept.items() if CUSTOMER in text} == OWN_DEEDS


def secrets_of(environment: Path) -> list[str]:
    """Every text of the environment's vault."""
    command = ["ansible-inventory", "-i", str(environment), "--list"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    waiting = [
        value
        for variables in told["_meta"]["hostvars"].values()
        for name, value in variables.items()
        if name.startswith("vault_")
    ]
    found = []
    while waiting:
        value = waiting.pop()
        waiting += value.values() if isinstance(value, dict) else []
        found += [value] if isinstance(value, str) else []
    assert found, "the vault holds nothing"
    return found


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_a_visitor_meets_exactly_the_public_ports(server: Machine, scans: Scans, family: int) -> None:
    assert scans["visitor", server.addresses[family]] == PUBLIC


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_the_management_meets_the_database_too(server: Machine, scans: Scans, family: int) -> None:
    assert scans["management", server.addresses[family]] == PUBLIC | {5432}


@pytest.fixture
def echo(server: Machine) -> Iterator[None]:
    """Something on the server that answers every datagram to port 53, over both families."""
    server.check_output("systemd-run --quiet --unit=test-echo python3 -c %s", ECHO)
    server.check_output("timeout 20 sh -c 'until ss -Hlun sport = 53 | grep -q 53; do sleep 0.2; done'")
    yield
    server.check_output("systemctl stop test-echo")


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_no_datagram_is_answered(
    server: Machine, visitor: Machine, management: Machine, echo: None, family: int
) -> None:
    address = server.addresses[family]
    assert server.check_output("python3 -c %s %s", ASK, address) == "heard"
    scan = f"sudo nmap -{'46'[family]} -sU --top-ports 1000 -Pn -n --min-rate 3000 --max-retries 1 -oG - {address}"
    for vantage in (visitor, management):
        said = vantage.check_output(scan)
        assert "open|filtered" in said, said
        assert not re.findall(r"\d+/open/udp", said), said


def test_another_run_changes_nothing_and_says_nothing(environment: Path) -> None:
    done = playbook(environment, "site.yml")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert set(re.findall(r"changed=(\d+)", done.stdout)) == {"0"}, done.stdout[-6000:]
    assert not TROUBLE.search(done.stdout + done.stderr), done.stdout + done.stderr


def test_the_roles_themselves_find_nothing_either(environment: Path) -> None:
    done = playbook(environment, "site.yml", "-e", "art32_survey=false")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "sshd : configure" in done.stdout
    assert set(re.findall(r"changed=(\d+)", done.stdout)) == {"0"}, done.stdout[-6000:]


def test_a_look_finds_what_differs_and_a_run_repairs_it(
    environment: Path, request: pytest.FixtureRequest, server: Machine, backup: Machine
) -> None:
    assert look(environment) == {"server": [], "backup": []}
    for name, command, sentence in DIFFERENCES:
        machine: Machine = request.getfixturevalue(name)
        done = machine.run("sudo sh -euc %s", command)
        assert done.rc == 0, f"{command}: {done.stderr}"
        assert any(sentence in found for found in look(environment)[name]), command
    repaired = playbook(environment, "site.yml")
    assert repaired.returncode == 0, repaired.stdout[-6000:] + repaired.stderr[-2000:]
    assert "changed=0" not in repaired.stdout
    assert look(environment) == {"server": [], "backup": []}


def test_the_drill_asked_the_service_about_what_it_restored(server: Machine) -> None:
    report = json.loads(server.file(DRILL).content_string)
    assert report["passed"], report
    assert report["services"] == {"platform": "logged in and checked"}


def test_a_check_that_fails_on_what_was_restored_fails_the_drill(server: Machine) -> None:
    drop_in = "/run/systemd/system/art32-platform-restored.service.d"
    broken = "[Service]\nExecStart=\nExecStart=/bin/sh -c 'echo built to fail >&2; exit 1'\n"
    start = "systemctl daemon-reload; systemctl start art32-restore-drill.service"
    server.check_output("mkdir -p %s; printf '%%s' %s >%s/broken.conf", drop_in, broken, drop_in)
    try:
        assert server.run(start).rc == 1
        report = json.loads(server.file(DRILL).content_string)
        assert not report["passed"]
        assert report["reason"].startswith("art32-platform-restored.service failed: ")
        assert "built to fail" in report["reason"]
        assert server.check_output("ls /var/lib/postgresql /run | grep art32-drill || true") == ""
    finally:
        server.check_output(f"rm -r {drop_in}; {start}")


def test_a_check_with_diff_predicts_nothing(environment: Path) -> None:
    done = playbook(environment, "site.yml", "--check", "--diff")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert set(re.findall(r"changed=(\d+)", done.stdout)) == {"0"}, done.stdout[-6000:]


def test_log_that_was_cut_is_told_from_the_head_that_a_backup_kept(server: Machine, backup: Machine) -> None:
    """The last rows go, with their links, by the hand of whoever owns the server; then they are put back."""

    def by_hand(statements: str) -> None:
        off = "".join(f"ALTER TABLE {name} DISABLE TRIGGER ALL;" for name in ("activity_activity", "activity_link"))
        script = f"BEGIN; {off} {statements} {GUARDS_ON} COMMIT;"
        server.check_output("cd /; sudo -u postgres psql -Xqd platform -v ON_ERROR_STOP=1 -c %s", script)

    def verified(heads: str = "") -> tuple[int, str]:
        done = server.run("printf %s | sudo art32-manage platform verify_activity --heads -", heads)
        return done.rc, done.stdout + done.stderr

    def kept() -> tuple[int, str]:
        done = backup.run("sudo systemctl start art32-activity@server.service")
        return done.rc, backup.check_output("sudo cat /var/lib/art32/activity/server/platform")

    began, heads = kept()
    assert began == 0
    assert verified(heads)[0] == 0
    by_hand(
        "CREATE TABLE cut_links AS SELECT * FROM activity_link ORDER BY number DESC LIMIT 3;"
        "CREATE TABLE cut_rows AS SELECT * FROM activity_activity WHERE id IN (SELECT activity_id FROM cut_links);"
        "DELETE FROM activity_activity WHERE id IN (SELECT id FROM cut_rows);"
        "DELETE FROM activity_link WHERE number IN (SELECT number FROM cut_links);"
    )
    try:
        assert verified()[0] == 0, "what is left is whole: without a head nobody sees it"
        code, told = verified(heads)
        assert code != 0
        assert "the log ends with link" in told
        code, unchanged = kept()
        assert (code != 0, unchanged) == (True, heads)
        journal = backup.check_output("sudo journalctl -n 20 -o cat -u art32-activity@server.service")
        assert "The activity log of platform was cut or made anew" in journal
    finally:
        by_hand(
            "INSERT INTO activity_activity OVERRIDING SYSTEM VALUE SELECT * FROM cut_rows;"
            "INSERT INTO activity_link SELECT * FROM cut_links; DROP TABLE cut_rows, cut_links;"
        )
    assert verified(heads)[0] == 0
    assert kept()[0] == 0


def test_people_of_the_declaration_are_invited_without_more(environment: Path, server: Machine) -> None:
    """The module only notes the invitation; the service's own job mails it."""
    done = playbook(environment, "playbooks/members.yml")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    timer = server.check_output("systemctl show -P ActiveState -P UnitFileState art32-platform.deliver.timer")
    assert timer.split() == ["active", "enabled"]
    server.check_output("sudo systemctl start art32-platform.deliver.service")
    command = server.variable("audit_mailbox_command", [])
    mailbox = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    to_joe = [line for line in mailbox.splitlines() if "joe@example.test" in line]
    assert any("/link/" in line and "Your invitation" in line for line in to_joe), mailbox[-2000:]
