"""Renewals under a hostile directory, under faults, and under load; last, because Pebble is started anew here."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from directory import (
    CHECKOUT,
    DAY,
    NAME,
    PASSES,
    UNIT,
    journal,
    make_due,
    newest_serial,
    one_pass,
    register_again,
    renew,
    served_serial,
    until,
)
from matrix import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from directory import Directory, Module
    from matrix import Cell, Fault

    from controls.machine import Machine

SERVED_WITHIN = 60
MINUTES = 6
CERTBOT = "/opt/art32/certbot/bin/certbot"
LEAF = f"/etc/letsencrypt/live/{NAME}/cert.pem"
ALARM = f"/run/alarm-of-{UNIT}"
LOAD = "/run/load.json"
LOAD_SECONDS, SHORT_LOAD_SECONDS, RATE, RELOADS = 60, 10, 50, 5


def test_certificates_are_issued_and_renewed_unattended(
    cell: Cell, server: Machine, visitor: Machine, changed_directory: Directory, ask: Module
) -> None:
    changed_directory.restart(
        profiles={"default": cell.days * DAY},
        PEBBLE_WFE_NONCEREJECT=cell.nonces,
        PEBBLE_AUTHZREUSE=cell.authorizations,
    )
    # From nothing, as on a host that was just set up.
    server.check_output(f"{CERTBOT} delete --non-interactive --cert-name {NAME}")
    server.check_output("rm -rf /etc/letsencrypt/accounts /var/lib/letsencrypt/art32-issued.jsonl")
    told = ask(domains=[NAME, f"www.{NAME}"])
    assert told.get("changed"), told
    assert served_serial(visitor, server) == newest_serial(server)
    assert abs(hours_left(server) - cell.days * 24) < 2
    before = newest_serial(server)
    make_due(server, due=True)
    for _ in range(PASSES):
        one_pass(server)
        if newest_serial(server) != before:
            break
    make_due(server, due=False)
    assert newest_serial(server) != before, journal(server)
    until(lambda: served_serial(visitor, server) == newest_serial(server), "it is served", SERVED_WITHIN)


def hours_left(server: Machine) -> float:
    """How long the newest certificate is valid from now."""
    told = server.check_output(f'date -d "$(openssl x509 -noout -enddate -in {LEAF} | cut -d= -f2)" +%s; date +%s')
    end, now = map(int, told.split())
    return (end - now) / 3600


def test_a_profile_is_asked_for_and_kept(
    server: Machine, visitor: Machine, changed_directory: Directory, ask: Module
) -> None:
    changed_directory.restart(profiles={"default": 90 * DAY, "tlsserver": 45 * DAY, "shortlived": 6 * DAY})
    server.check_output("rm -rf /etc/letsencrypt/accounts")
    name = "second.example.test"
    refused = ask(name, profile="long")
    assert "has no profile long (certbot_profile); it offers default, shortlived, tlsserver" in refused["msg"]
    told = ask(name, profile="shortlived")
    assert told["changed"], told
    assert told["certificates"][0]["issued"][0:1] == ["its profile is the default, not shortlived"]
    shown = f"openssl x509 -noout -checkend {7 * DAY} -in /etc/letsencrypt/live/{name}/cert.pem"
    assert server.run(shown).rc == 1
    assert served_serial(visitor, server, name) == newest_serial(server, name)
    assert not ask(name, profile="shortlived", check=True)["changed"]
    assert ask(name, profile="")["certificates"][0]["issued"] == ["its profile is shortlived, not the default"]
    assert not ask(name, profile="", check=True)["changed"]


@pytest.fixture
def broken(fault: Fault, server: Machine, directory: Directory) -> Iterator[Callable[[], None]]:
    """What is broken; called, it repairs."""

    def act(command: str) -> None:
        if fault.where == "directory":
            directory.says(command)
        else:
            server.check_output(command)

    def repair() -> None:
        if done:
            return
        done.append(True)
        if fault.where == "blocklist":
            directory.restart()
            register_again(server)
        else:
            act(fault.undo)

    done: list[bool] = []
    if "iptables" in fault.do:
        server.check_output("apt-get install -qq --yes iptables >/dev/null 2>&1")
    # A name that was proved before would not be asked for again, and nothing be seen of most faults.
    directory.restart(blocked=[NAME] if fault.where == "blocklist" else [], PEBBLE_AUTHZREUSE=0)
    register_again(server)
    if fault.where != "blocklist":
        act(fault.do)
    try:
        yield repair
    finally:
        repair()


def test_a_fault_leaves_the_old_certificate_served_and_alarms(
    fault: Fault, due: None, broken: Callable[[], None], server: Machine, visitor: Machine
) -> None:
    before = served_serial(visitor, server)
    server.check_output(f"rm -f {ALARM}")
    assert one_pass(server) != 0, journal(server)
    assert re.search(fault.says, journal(server)), journal(server)
    assert served_serial(visitor, server) == before
    until(lambda: server.file(ALARM).exists, "the alarm", 30)
    broken()
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) != before
    assert served_serial(visitor, server) == newest_serial(server)


def test_no_request_is_lost_while_a_certificate_is_renewed_and_nginx_reloads(
    server: Machine, visitor: Machine, converge: Callable[..., str], due: None
) -> None:
    seconds = LOAD_SECONDS if os.environ.get("ART32_TLS") == "all" else SHORT_LOAD_SECONDS
    script = (CHECKOUT / "molecule" / "resources" / "load.py").read_text(encoding="utf-8")
    server.check_output("printf %%s %s >/run/load.py", script)
    server.check_output(f"rm -f {LOAD}; systemd-run --unit=load python3 /run/load.py https://{NAME} {LOAD} {RATE}")
    before, began, reloads = newest_serial(server), time.monotonic(), 0
    try:
        assert renew(server) == 0, journal(server)
        for timeout, words in (("14s", ("-e", "nginx_client_timeout=14s")), ("15s", ())):
            said = converge(*words)
            assert f"client_body_timeout {timeout};" in server.file("/etc/nginx/nginx.conf").content_string, said
        while reloads < RELOADS or time.monotonic() - began < seconds:
            server.check_output("nginx -t -q && systemctl reload nginx")
            reloads += 1
            time.sleep(1)
    finally:
        server.check_output("systemctl stop load.service")
    result = json.loads(server.check_output(f"cat {LOAD}"))
    assert newest_serial(server) != before
    assert result["failed"] == []
    assert result["sent"] >= seconds * RATE * 0.9, result
    assert served_serial(visitor, server) == newest_serial(server)


@pytest.mark.long
def test_a_directory_that_is_away_past_the_renewal_time_is_waited_for(
    server: Machine, visitor: Machine, changed_directory: Directory, ask: Module
) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "directory-away")
    server.check_output("apt-get install -qq --yes iptables >/dev/null 2>&1")
    # Below ten days, certbot renews when half of a lifetime is left.
    changed_directory.restart(profiles={"default": MINUTES * 60})
    server.check_output("rm -rf /etc/letsencrypt/accounts /var/lib/letsencrypt/art32-issued.jsonl")
    server.check_output(f"{CERTBOT} delete --non-interactive --cert-name {NAME}")
    assert ask(domains=[NAME, f"www.{NAME}"]).get("changed")
    before, half = served_serial(visitor, server), hours_left(server) * 3600 / 2
    server.check_output(fault.do)
    try:
        server.check_output(f"rm -f {ALARM}")
        assert one_pass(server) == 0, journal(server)
        assert newest_serial(server) == before
        until(lambda: hours_left(server) * 3600 < half, "half of the lifetime is left", MINUTES * 60)
        assert one_pass(server) != 0, journal(server)
        assert re.search(fault.says, journal(server)), journal(server)
        until(lambda: server.file(ALARM).exists, "the alarm", 30)
        assert hours_left(server) * 60 > MINUTES / 3
        assert served_serial(visitor, server) == before
    finally:
        server.check_output(fault.undo)
    assert renew(server) == 0, journal(server)
    assert newest_serial(server) != before
    assert served_serial(visitor, server) == newest_serial(server)
