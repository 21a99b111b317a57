"""Foreign software does its work in the sandbox, from its own release, as it is declared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench import no_change
from controls import sources
from controls.judges import conformance, units

if TYPE_CHECKING:
    from controls.machine import Machine

HEALTH = {"datasette": "/-/versions.json", "placement": "/", "radicale": "/.web/"}
SERVICES = list(HEALTH)
HERE = Path(__file__).parent
LOGIN = str(HERE.parent.parent / "playbooks" / "login.yml")


def ask(server: Machine, service: str, path: str, *options: str) -> str:
    """Ask as nginx does."""
    words = " ".join(["curl", "-sS", "-H", "'X-Forwarded-Proto: https'", *options])
    url = f"--unix-socket /run/art32/{service}.sock 'http://{service}.example.test{path}'"
    return str(server.check_output(f"cd /; runuser -u www-data -- {words} {url}"))


def database(server: Machine, question: str) -> str:
    return str(server.check_output(f"cd /; runuser -u postgres -- psql -XAt placement -c '{question}'"))


def test_a_run_without_changes_is_two_module_executions(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """However many services: here are six. What logging in takes is counted before, and no part of it."""
    environment = Path(pytestconfig.getoption("environment")).resolve()
    addresses = no_change.hosts(environment)
    made = []
    for number, playbooks in enumerate([[LOGIN], [LOGIN, str(HERE / "app.yml")]]):
        no_change.run(environment, playbooks, tmp_path / "warm")
        _, said = no_change.run(environment, playbooks, tmp_path / str(number))
        made.append(no_change.calls(tmp_path / str(number), addresses)["server"])
    assert "changed=0" in said
    assert "release | Let each service's declared release serve" in said
    assert 0 < made[1] - made[0] <= 2


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_healthy_and_comes_back_by_itself(server: Machine, service: str) -> None:
    assert server.service(f"art32-{service}").is_running
    assert server.service(f"art32-{service}").is_enabled
    assert server.check_output(f"systemctl show -P Result art32-{service}.service") == "success"


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_served_by_nginx(server: Machine, service: str) -> None:
    page = f"https://{service}.example.test{HEALTH[service]}"
    asked = f"curl -ksS -o /dev/null -w '%{{http_code}}' --resolve {service}.example.test:443:127.0.0.1 {page}"
    assert server.check_output(asked) == "200"


@pytest.mark.parametrize("service", SERVICES)
def test_exposure(server: Machine, service: str) -> None:
    judged = server.run(f"systemd-analyze security --no-pager --threshold=15 art32-{service}.service")
    assert judged.rc == 0, judged.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_it_reaches_nobody(server: Machine, service: str) -> None:
    told = {name: server.check_output(command) for name, command in sources.reach(service, []).items()}
    assert units.address_problems(units.parse(told[f"units-{service}"]), [], now={}, lately={}, resolvers=[]) == []


def test_who_talks_to_one_address_reaches_that_alone(server: Machine) -> None:
    talks_to = ["127.0.0.1:25"]
    told = {name: server.check_output(command) for name, command in sources.reach("flask", talks_to).items()}
    shown = units.parse(told["units-flask"])
    assert units.address_problems(shown, talks_to, now={}, lately={}, resolvers=[]) == []


def test_the_asgi_service_answers(server: Machine) -> None:
    versions = json.loads(ask(server, "datasette", "/-/versions.json"))
    assert versions["asgi"]
    assert versions["datasette"]["version"] == "0.65.5"


def test_its_adapter_says_what_it_keeps_to(server: Machine) -> None:
    told: Any = json.loads(server.check_output(sources.conformance("datasette", ["datasette-conformance"])))
    assert conformance.form_problems(told) == []
    assert "/-/versions" in " ".join(url["pattern"] for url in told["urls"])
    # What it does not keep to is told, too: nothing of it is in PostgreSQL.
    assert conformance.store_problems(told["stores"], "", []) == ["memory _memory at an unknown place"]
    assert conformance.activity_problems(told["activity"]) != []


def test_the_service_with_a_database_writes_to_it(server: Machine) -> None:
    header = "-H 'x-auth-token: admin' -H 'openstack-api-version: placement 1.20' -H 'content-type: application/json'"
    name = "drawer"
    ask(server, "placement", "/resource_providers", header, f"""-d '{{"name": "{name}"}}'""")
    found = json.loads(ask(server, "placement", f"/resource_providers?name={name}", header))
    assert [one["name"] for one in found["resource_providers"]] == [name]
    assert database(server, "table resource_providers").split("|")[4] == name
    assert "placement_owner" in database(server, r"\dt resource_providers")


def test_its_job_runs_from_the_release(server: Machine) -> None:
    server.run("systemctl start art32-placement.status.service")
    told = server.run("journalctl --sync; journalctl -o cat -u art32-placement.status.service").stdout
    assert "Upgrade Check Results" in told


def test_the_service_with_files_writes_only_there(server: Machine) -> None:
    assert "Radicale" in ask(server, "radicale", "/.web/")
    assert server.file("/var/lib/radicale").user == "radicale"
    process = server.check_output("systemctl show -P MainPID art32-radicale.service")
    writes = f"nsenter -t {process} -m runuser -u radicale -- sh -c 'touch {{}}'"
    assert server.run(writes.format("/var/lib/radicale/here")).rc == 0
    assert "Read-only" in server.run(writes.format("/etc/here")).stderr
