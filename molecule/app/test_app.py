"""The services serve, know their surroundings, keep their secrets and stay in their sandbox."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from controls import sources
from controls.judges import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controls.machine import Machine

SERVICES = ["sample", "second-one"]
UNITS = [
    *(f"art32-{name}" for name in SERVICES),
    *(
        "art32-sample-candidate",
        "art32-sample-migrate",
        "art32-sample-restored",
        "art32-sample.note",
        "art32-second-one.worker",
    ),
]
TALKS_TO = ["127.0.0.1:22", "mail.example.test:587"]
SECRETS = {"SECRET_KEY": "planted-secret-key-7f3a", "API_TOKEN": "planted-token-91bc"}


def ask(server: Machine, service: str, path: str = "/") -> dict[str, Any]:
    """Ask as nginx does."""
    command = "cd /; runuser -u www-data -- curl -sS -H 'X-Forwarded-Proto: https'"
    url = f"--unix-socket /run/art32/{service}.sock http://{service}.example.test{path}"
    return dict(json.loads(server.check_output(f"{command} {url}")))


@pytest.mark.parametrize("service", SERVICES)
def test_it_serves_under_its_own_account(server: Machine, service: str) -> None:
    page = ask(server, service)
    assert page["release"] == "one"
    assert page["uid"] == int(server.check_output(f"id -u {service}")) != 0


@pytest.mark.parametrize("service", SERVICES)
def test_it_believes_nginx_that_the_request_came_by_https(server: Machine, service: str) -> None:
    assert ask(server, service)["scheme"] == "https"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("suffix", ["", "-migrate"])
def test_its_accounts_have_no_login(server: Machine, service: str, suffix: str) -> None:
    account = server.user(f"{service}{suffix}")
    assert account.shell == "/usr/sbin/nologin"
    assert account.password in ("!", "!*", "*")
    assert account.uid < 1000


def test_only_nginx_and_itself_may_connect(server: Machine) -> None:
    socket = server.file("/run/art32/sample.sock")
    assert (socket.user, socket.group, socket.mode) == ("sample", "www-data", 0o660)
    ask(server, "sample")
    stranger = "cd /; runuser -u nobody -- curl -sS --unix-socket /run/art32/sample.sock http://sample.example.test/"
    refused = server.run(stranger)
    assert refused.rc == 7
    other = server.run(stranger.replace("nobody", "second-one"))
    assert other.rc == 7


def test_it_logs_in_to_its_database_as_itself(server: Machine) -> None:
    told = ask(server, "sample", "/database")
    assert told["user"] == "sample"
    assert told["migrations"] == [["one", "sample_owner"]]


RESTORED = "art32-sample-restored.service"
DRILL = "/run/art32-drill"


@pytest.fixture
def restored(server: Machine) -> Iterator[None]:
    """The live cluster in the place of one that a restore drill restored."""
    server.check_output(f"mkdir {DRILL} && ln -s /var/run/postgresql {DRILL}/sockets")
    yield
    server.check_output(f"rm -r {DRILL}; systemctl reset-failed {RESTORED} || true")


def test_it_is_asked_about_what_was_restored_as_itself(server: Machine, restored: None) -> None:
    server.check_output(f"systemctl start {RESTORED}")
    file = server.file(f"{DRILL}/sample.json")
    assert (file.user, file.mode) == ("root", 0o600)
    told = json.loads(file.content_string)
    assert told == {"user": "sample", "rows": 1, "host": f"{DRILL}/sockets", "credentials": sorted(SECRETS)}


def test_it_never_takes_the_live_database_for_what_was_restored(server: Machine, restored: None) -> None:
    server.check_output(f"rm {DRILL}/sockets")
    assert server.run(f"systemctl start {RESTORED}").rc == 1
    assert server.file(f"{DRILL}/sample.json").content_string == ""


def test_the_owner_cannot_log_in_at_rest(server: Machine) -> None:
    command = "cd /; runuser -u sample-migrate -- psql -XAt -h /var/run/postgresql -U sample_owner sample -c 'select 1'"
    refused = server.run(command)
    assert refused.rc != 0
    assert 'role "sample_owner" is not permitted to log in' in refused.stderr


def test_the_environment_arrives_as_written(server: Machine) -> None:
    assert ask(server, "sample")["greeting"] == 'a 100% "quoted" $value'


def test_secrets_arrive_as_credentials(server: Machine) -> None:
    seen = ask(server, "sample")["credentials"]
    assert seen == {name: hashlib.sha256(secret.encode()).hexdigest() for name, secret in SECRETS.items()}
    assert not set(SECRETS) & set(ask(server, "sample")["environment"])


def test_secrets_are_nowhere_else(server: Machine) -> None:
    """The search finds them in the files that only root reads: so it would find them elsewhere."""
    # From a file: sudo writes the commands of the tests themselves into the journal.
    server.check_output("cut -c1-12 /etc/art32/credentials/sample/* >/run/pattern; chmod 0400 /run/pattern")
    kept = [f"/etc/art32/credentials/sample/{name}" for name in sorted(SECRETS)]
    assert sorted(server.check_output("grep -rlF -f /run/pattern /etc /srv /usr/local /var/lib/art32").split()) == kept
    for path in kept:
        file = server.file(path)
        assert (file.user, file.mode) == ("root", 0o400)
    for place in ("journalctl --no-pager", "systemctl show 'art32-*'", "ps axeww"):
        assert server.run(f"{place} | grep -c -F -f /run/pattern").stdout.strip() == "0", place


def test_no_account_of_a_service_reads_the_secrets(server: Machine) -> None:
    for account in ("sample", "sample-migrate", "second-one", "www-data"):
        assert server.run(f"cd /; runuser -u {account} -- cat /etc/art32/credentials/sample/SECRET_KEY").rc != 0


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(server: Machine, unit: str) -> None:
    judged = server.run(f"systemd-analyze security --no-pager --threshold=15 {unit}.service")
    assert judged.rc == 0, judged.stdout


def test_it_can_write_nothing_of_the_system(server: Machine) -> None:
    for service in SERVICES:
        assert ask(server, service)["writable"] == []


@pytest.mark.parametrize("unit", ["art32-second-one", "art32-second-one-candidate", "art32-second-one.worker"])
def test_a_restriction_is_loosened_where_it_is_declared_alone(server: Machine, unit: str) -> None:
    assert server.check_output(f"systemctl show {unit}.service -P MemoryDenyWriteExecute") == "no"
    assert server.check_output(f"systemctl show {unit}.service -P StateDirectory") == "second-one"
    assert server.check_output("systemctl show art32-sample.service -P MemoryDenyWriteExecute") == "yes"
    assert server.check_output("systemctl show art32-sample.service -P StateDirectory") == ""
    assert server.file("/var/lib/second-one").user == "second-one"


def test_a_secret_reaches_the_environment_where_that_is_declared(server: Machine) -> None:
    page = ask(server, "second-one")
    assert page["greeting"] == "from a 100% 'secret'"
    assert server.run("systemctl show 'art32-second-one*' | grep -F \"100% 'secret\"").rc == 1


def reached(server: Machine, service: str, talks_to: list[str]) -> list[str]:
    """What the audit would say of the units' addresses."""
    told = {name: server.check_output(command) for name, command in sources.reach(service, talks_to).items()}
    return units.address_problems(
        units.parse(told[f"units-{service}"]),
        talks_to,
        now=units.looked_up(told[f"names-{service}"]),
        lately=json.loads(told[f"addresses-{service}"]),
        resolvers=server.check_output("awk '$1 == \"nameserver\" { print $2 }' /etc/resolv.conf").split(),
    )


def test_it_reaches_only_what_it_declares(server: Machine) -> None:
    assert ask(server, "sample")["network"] != "connected"
    assert ask(server, "second-one")["network"] == "connected"
    assert reached(server, "sample", []) == []
    assert reached(server, "second-one", TALKS_TO) == []
    told = server.check_output("systemctl show art32-second-one.service -P IPAddressAllow").split()
    assert {"127.0.0.1/32", "192.0.2.10/32"} < set(told)
    assert {network.partition("/")[2] for network in told} <= {"32", "128"}


def test_other_addresses_than_declared_are_noticed(server: Machine) -> None:
    server.check_output("systemctl set-property --runtime art32-second-one.worker.service IPAddressAllow=10.0.0.0/8")
    try:
        assert reached(server, "second-one", TALKS_TO) == [
            "art32-second-one.worker.service may reach 10.0.0.0/8, which talks_to does not name"
        ]
    finally:
        server.check_output("systemctl start art32-addresses.service")
    assert reached(server, "second-one", TALKS_TO) == []


def test_a_name_with_another_address_keeps_both_for_a_day(server: Machine) -> None:
    move = "sed 's/^192.0.2.{} mail/192.0.2.{} mail/' /etc/hosts >/run/hosts; cat /run/hosts >/etc/hosts"
    server.check_output(move.format(10, 11))
    try:
        assert any("cannot reach 192.0.2.11/32" in problem for problem in reached(server, "second-one", TALKS_TO))
        server.check_output("systemctl start art32-addresses.service")
        told = server.check_output("systemctl show art32-second-one.service -P IPAddressAllow").split()
        assert {"192.0.2.10/32", "192.0.2.11/32"} < set(told)
        assert reached(server, "second-one", TALKS_TO) == []
    finally:
        server.check_output(move.format(11, 10))


def test_the_process_runs_and_the_job_waits_for_its_hour(server: Machine) -> None:
    process = server.check_output("systemctl show -P MainPID art32-second-one.worker.service")
    assert server.check_output(f"stat -c %U /proc/{process}") == "second-one"
    assert server.service("art32-second-one.worker.service").is_enabled
    assert server.check_output("systemctl show -P ActiveState art32-sample.note.timer") == "active"
    assert server.check_output("systemctl is-enabled art32-sample.note.timer") == "enabled"


def test_no_request_is_refused_while_it_restarts(server: Machine) -> None:
    server.check_output("systemctl restart --no-block art32-sample.service; true")
    assert ask(server, "sample")["release"] == "one"
    # Returns when the restart has ended; the tests that follow count its processes.
    server.check_output("systemctl start art32-sample.service")


LATE = """
import socket, subprocess, sys, time

service, path = sys.argv[1:]


def state():
    command = ["systemctl", "show", "--property=ActiveState,InvocationID", service]
    return subprocess.run(command, capture_output=True, check=True).stdout


before = state()
visitor = socket.socket(socket.AF_UNIX)
visitor.settimeout(60)
visitor.connect(path)
subprocess.run(["systemctl", "restart", "--no-block", service], check=True)
end = time.monotonic() + 60
while state() == before and time.monotonic() < end:
    time.sleep(0.01)
# Longer than a worker takes that does not wait, and far shorter than one that does.
time.sleep(0.5)
visitor.sendall(b"GET / HTTP/1.1\\r\\nHost: second.example.test\\r\\nConnection: close\\r\\n\\r\\n")
print(visitor.recv(4096).decode().splitlines()[0])
subprocess.run(["systemctl", "start", service], check=True)
"""


@pytest.mark.parametrize("service", SERVICES)
def test_whoever_has_connected_is_answered_though_it_restarts_before_the_request(server: Machine, service: str) -> None:
    words = f"art32-{service}.service /run/art32/{service}.sock"
    assert server.check_output(f"python3 -c '{LATE}' {words}") == "HTTP/1.1 200 OK"


def test_it_comes_back_and_alarms(server: Machine) -> None:
    for service in SERVICES:
        assert server.service(f"art32-{service}").is_enabled
        assert server.check_output(f"systemctl is-enabled art32-{service}.socket") == "enabled"
        told = server.check_output(f"systemctl show art32-{service}.service -P OnFailure -P Restart")
        assert f"art32-alert@art32-{service}.service.service" in told
        assert "always" in told


def test_processes_follow_the_processors(server: Machine) -> None:
    processors = int(server.check_output("nproc"))
    for service, workers in (("sample", 2 * processors + 1), ("second-one", processors)):
        group = server.check_output(f"systemctl show art32-{service}.service -P TasksCurrent")
        children = server.check_output(f"pgrep -c -P $(systemctl show -P MainPID art32-{service}.service)")
        assert int(children) == workers, group


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_every_line(server: Machine, unit: str) -> None:
    told = server.run(f"systemd-analyze verify /etc/systemd/system/{unit}.service 2>&1 | grep {unit}").stdout
    # There is no candidate at rest, and no alarm in this scenario.
    known = ("is not executable: No such file", "art32-alert@")
    assert [line for line in told.splitlines() if not any(part in line for part in known)] == []
