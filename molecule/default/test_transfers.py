"""TLS-1 beside the web turns red when something on the way to the relay, the database or the backups is not safe."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.mutants.trial import audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controls.environment import Environment
    from controls.machine import Machine

SINK = "/usr/local/sbin/art32-sink"
WITH_TLS, WITHOUT = 'relay(25, "relay")', "relay(25)"
CLUSTER = "/etc/postgresql/*/main"
DROP_IN = "/etc/ssh/ssh_config.d/00-broken.conf"
JOB = "art32-platform.deliver.timer"  # whose alarm about the relay would come in the midst of another test
# Host: what is laid beside what the roles manage, which a run would remove; and how it is removed.
BROKEN = {
    "server": (
        f"echo 'ssl = off' >$(echo {CLUSTER})/conf.d/zz.conf; systemctl reload postgresql;"
        f" printf 'Match localuser postgres\\n UserKnownHostsFile /dev/null\\n' >{DROP_IN}"
    ),
    "backup": f"printf 'Match localuser pgbackrest\\n StrictHostKeyChecking no\\n' >{DROP_IN}",
}
MENDED = {
    "server": f"rm -f {CLUSTER}/conf.d/zz.conf {DROP_IN}; systemctl reload postgresql",
    "backup": f"rm -f {DROP_IN}",
}
# Host: what has to be said of it.
SAID = {
    "server": [
        "sink.example.test:25 is not the relay that it should be, or has no TLS",
        "What platform mails is not safe on its way: sink.example.test:25 is handed nothing: STARTTLS",
        "ssl is off",
        "agrees on no TLS at all",
        "the other side is not the host that is known",
    ],
    "backup": [
        "sink.example.test:25 is not the relay that it should be, or has no TLS",
        "an unknown host would be believed (StrictHostKeyChecking)",
    ],
}


@pytest.fixture
def broken(server: Machine, backup: Machine) -> Iterator[None]:
    """Each way, broken: the relay has no certificate, the database no TLS, two clients do not mind whom they meet."""
    server.check_output("systemctl stop %s", JOB)
    on_the_sink(server, f"s/{WITH_TLS}/{WITHOUT}/")
    try:
        for machine in (server, backup):
            machine.check_output(BROKEN[machine.name])
        yield
    finally:
        on_the_sink(server, f"s/{WITHOUT}/{WITH_TLS}/")
        for machine in (server, backup):
            machine.check_output(MENDED[machine.name])
        server.check_output("systemctl start %s", JOB)


def on_the_sink(server: Machine, change: str) -> None:
    """Edit what the sink runs, and start it anew."""
    *login, _ = server.variable("audit_mailbox_command", [])
    order = f"sudo sed -i '{change}' {SINK}; sudo systemctl restart sink.service"
    answers = "timeout 30 sh -c 'until nc -z localhost 25 2>/dev/null; do sleep 0.2; done'"
    subprocess.run([*login, f"{order}; {answers}"], check=True)


def test_each_way_that_is_not_safe_is_told(declaration: Environment, broken: None, tmp_path: Path) -> None:
    audit(declaration.directory, "server", tmp_path, areas=["transfers"])
    found = json.loads((tmp_path / "open.json").read_text(encoding="utf-8"))
    for host, said in SAID.items():
        red = [line for line in found if line.startswith(f"TLS-1 on {host}: not met: ")]
        assert [words for words in said if not any(words in line for line in red)] == [], red
    assert sum(line.startswith("TLS-1 ") for line in found) == sum(map(len, SAID.values())), found
