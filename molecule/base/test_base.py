"""What every host has: time, upgrades, journal, alarms, administrators."""

from __future__ import annotations

import json
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controls.environment import Environment
    from controls.machine import Machine

    Received = Callable[[str], list[dict[str, Any]]]
    Told = Callable[..., tuple[str, Any]]

BROKEN = """[Unit]
OnFailure=art32-alert@%n.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo the disk is on fire; exit 3'
"""


# The alarm of a unit has its settings only once the unit works again.
WELL_MEANWHILE = """
import os, pathlib, subprocess, sys, time
place = pathlib.Path("/run/fluttering")
while True:
    try:
        settings = os.open(place / "alert.json", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # nobody reads yet
        time.sleep(0.1)
    else:
        break
(place / "well").touch()
subprocess.run(["systemctl", "start", sys.argv[1]], check=True)
os.write(settings, pathlib.Path("/etc/art32/alert.json").read_bytes())
"""


@pytest.fixture
def received(server: Machine, declaration: Environment) -> Received:
    """What the sink received about a unit."""
    address = server.check_output("getent ahostsv4 sink.example.test").split()[0]
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    login = ["-i", str(declaration.get("access_first_key")), f"admin@{address}"]

    def ask(unit: str) -> list[dict[str, Any]]:
        command = ["ssh", *options, *login, "sudo cat /var/lib/art32-sink/received.jsonl"]
        lines = subprocess.check_output(command, text=True).splitlines()
        return [json.loads(line) for line in lines if unit in line]

    return ask


@pytest.fixture
def broken(server: Machine, request: pytest.FixtureRequest) -> Iterator[str]:
    """A unit that fails, once."""
    name = f"broken-{abs(hash(request.node.name))}.service"
    path = f"/run/systemd/system/{name}"
    server.check_output(f"printf '%s' {server.backend.quote('%s', BROKEN)} > {path}")
    server.check_output("systemctl daemon-reload")
    assert server.run(f"systemctl start {name}").rc != 0
    yield name
    server.check_output(f"rm {path}; systemctl daemon-reload; systemctl reset-failed")


@pytest.fixture
def told(server: Machine) -> Told:
    """Tell something with other settings, as a unit is given them, once; returns the unit and what came of it."""
    was = json.loads(server.check_output("cat /etc/art32/alert.json"))

    def tell(**changes: Any) -> tuple[str, Any]:  # noqa: ANN401 - settings, and testinfra's own type
        name = f"told-{secrets.token_hex(4)}.service"
        script = (
            "mkdir -p /run/told; cat >/run/told/alert.json;"
            " sed 's/^PAUSES = .*/PAUSES = (0,)/' /usr/local/lib/art32/alert >/run/told/alert;"
            f" CREDENTIALS_DIRECTORY=/run/told python3 /run/told/alert --say {name} '{name} says' </dev/null"
        )
        return name, server.run("printf %%s %s | sh -c %s", json.dumps({**was, **changes}), script)

    return tell


@pytest.fixture
def fluttering(server: Machine) -> Iterator[str]:
    """A unit that tells of failures and of successes, whose alarm waits for its settings at /run/fluttering."""
    name = "fluttering.service"
    files = {
        f"/run/systemd/system/{name}": (
            "[Unit]\nOnFailure=art32-alert@%n.service\nOnSuccess=art32-alert@%n.service\n"
            "[Service]\nType=oneshot\nExecStart=/usr/bin/test -e /run/fluttering/well\n"
        ),
        f"/run/systemd/system/art32-alert@{name}.service.d/test.conf": (
            "[Service]\nEnvironment=CREDENTIALS_DIRECTORY=/run/fluttering\n"
        ),
    }
    for path, content in files.items():
        server.check_output("mkdir -p $(dirname %s); printf %%s %s >%s", path, content, path)
    server.check_output("mkdir -p /run/fluttering; mkfifo /run/fluttering/alert.json; systemctl daemon-reload")
    yield name
    server.check_output(f"rm -r /run/fluttering {' '.join(files)}; systemctl daemon-reload; systemctl reset-failed")


def wait_for_alarm(server: Machine, unit: str) -> str:
    alarm = f"art32-alert@{unit}.service"
    server.check_output(
        f"timeout 30 sh -c 'until systemctl show -P Result,ActiveState {alarm} | grep -q inactive; do sleep 0.5; done'"
    )
    return alarm


def test_a_failure_is_told_by_mail_and_webhook_once(server: Machine, broken: str, received: Received) -> None:
    alarm = wait_for_alarm(server, broken)
    server.check_output(f"systemctl start {alarm}")  # told again about the same failure, it stays silent
    mail, hook = received(broken)
    assert mail["kind"] == "mail"
    assert mail["recipients"] == ["team@example.test"]
    assert mail["tls"] in ("TLSv1.2", "TLSv1.3")
    assert (
        mail["subject"]
        == f"[art32] {broken} failed on {server.check_output('hostname --fqdn')} (exit-code, exit code 3)"
    )
    assert "the disk is on fire" in mail["body"]
    posted = json.loads(hook["body"])
    assert hook["path"] == "/alarm"
    assert posted["unit"] == broken
    assert any("the disk is on fire" in line for line in posted["lines"])


def test_a_failure_is_in_the_journal(server: Machine, broken: str) -> None:
    alarm = wait_for_alarm(server, broken)
    assert f"{broken} failed on" in server.check_output(
        f"journalctl --unit={alarm} --priority=crit --output=cat --no-pager"
    )


def test_an_alarm_is_never_held_back(server: Machine, broken: str) -> None:
    alarm = wait_for_alarm(server, broken)
    for _ in range(12):
        server.run("systemctl reset-failed %s; systemctl start %s", broken, broken)
        server.check_output(f"systemctl start {alarm}")
    assert server.check_output("systemctl show -P Result %s", alarm) == "success"


def test_an_end_that_comes_while_another_is_told_is_told_too(
    server: Machine, fluttering: str, received: Received
) -> None:
    assert server.run("systemctl start %s", fluttering).rc != 0
    server.check_output("timeout 60 python3 -c %s %s", WELL_MEANWHILE, fluttering)
    wait_for_alarm(server, fluttering)
    told = [one["subject"] for one in received(fluttering) if one["kind"] == "mail"]
    assert [f"[art32] {fluttering} failed on", f"[art32] {fluttering} works again on"] == [
        subject.rsplit(" on ", 1)[0] + " on" for subject in told
    ]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(("sink.example.test:2525", "STARTTLS extension not supported by server"), id="no TLS"),
        pytest.param(("sink.example.test:2526", "certificate verify failed"), id="a stranger's certificate"),
        pytest.param(("{address}:25", "IP address mismatch"), id="another name"),
    ],
)
def test_another_relay_is_handed_nothing_and_the_alarm_fails_with_the_reason(
    server: Machine, told: Told, received: Received, case: tuple[str, str]
) -> None:
    relay, reason = case
    address = server.check_output("getent ahostsv4 sink.example.test").split()[0]
    name, done = told(relay=relay.format(address=address))
    assert done.rc == 1, done.stdout
    assert "this could not be reported: e-mail: " in done.stdout
    assert reason in done.stdout
    assert [one["kind"] for one in received(name)] == ["webhook"]


def test_mail_goes_in_the_clear_where_that_is_declared_and_never_with_a_password(
    told: Told, received: Received
) -> None:
    plain = {"relay": "sink.example.test:2525", "plain": True}
    name, done = told(**plain)
    assert done.rc == 0, done.stdout
    assert [one["tls"] for one in received(name) if one["kind"] == "mail"] == [""]
    name, done = told(**plain, user="art32", password="planted")  # noqa: S106 - a relay's that does not exist
    assert done.rc == 1, done.stdout
    assert "STARTTLS extension not supported by server" in done.stdout


def test_the_alarms_secrets_are_roots(server: Machine) -> None:
    settings = server.file("/etc/art32/alert.json")
    assert (settings.user, settings.group, settings.mode) == ("root", "root", 0o600)


def test_only_security_upgrades_come_by_themselves(server: Machine) -> None:
    dump = server.check_output("apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in dump
    origins = [
        line.split('"')[1] for line in dump.splitlines() if line.startswith("Unattended-Upgrade::Origins-Pattern::")
    ]
    assert origins == ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"]
    assert server.service("apt-daily.timer").is_running
    assert server.service("apt-daily-upgrade.timer").is_running


def test_unattended_upgrades_accepts_its_settings(server: Machine) -> None:
    told = server.check_output("unattended-upgrade --dry-run --debug 2>&1 | grep -i 'allowed origins'")
    assert "-security" in told


def test_a_failed_upgrade_is_an_alarm(server: Machine) -> None:
    shown = server.check_output("systemctl show -P OnFailure apt-daily-upgrade.service")
    assert shown == "art32-alert@apt-daily-upgrade.service.service"


def test_a_packages_file_that_changed_is_an_alarm(server: Machine, received: Received) -> None:
    unit, path = "art32-integrity.service", "/usr/share/common-licenses/BSD"
    assert server.run("systemctl start %s", unit).rc == 0
    server.check_output("cp -p %s /run/kept; echo >> %s", path, path)
    try:
        assert server.run("systemctl start %s", unit).rc != 0
        wait_for_alarm(server, unit)
    finally:
        server.check_output("mv /run/kept %s", path)
    assert any(path in line for line in json.loads(received(unit)[-1]["body"])["lines"])
    assert server.run("systemctl start %s", unit).rc == 0
    assert server.check_output("systemctl is-enabled art32-integrity.timer") == "enabled"


def test_the_journal_survives_and_is_bounded(server: Machine) -> None:
    assert server.file("/var/log/journal").is_directory
    assert server.check_output("journalctl --list-boots --no-pager | wc -l") != "1"
    effective = server.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert "SystemMaxUse=1G" in effective


def test_time_comes_from_the_network(server: Machine) -> None:
    assert server.service("systemd-timesyncd").is_enabled
    assert server.file("/etc/localtime").linked_to == "/usr/share/zoneinfo/Etc/UTC"
