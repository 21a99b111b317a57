"""Pebble and the name server, on their own machine, and the certificates that the server has from them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controls.machine import Machine

Module: TypeAlias = "Callable[..., dict[str, Any]]"

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "platform.example.test"
RENEWAL = f"/etc/letsencrypt/renewal/{NAME}.conf"
UNIT = "art32-certbot-renew.service"
PASSES = 3
DAY = 86400
CONFIGURATION = "/etc/pebble/config.json"
ENVIRONMENT = "/etc/systemd/system/pebble.service.d/environment.conf"


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> float:
    """Wait for a condition. Returns how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.3)
    return time.monotonic() - began


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Pebble. Every restart makes it forget accounts and roots."""

    container: str

    def run(self, command: str, *, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell command beside it."""
        environment = {**os.environ, "CONTAINERS_CONF": str(CHECKOUT / "molecule" / "resources" / "containers.conf")}
        argv = ["podman", "exec", "-i", self.container, "sh", "-euc", command]
        return subprocess.run(argv, env=environment, input=given, capture_output=True, text=True, check=False)

    def says(self, command: str, *, given: str = "") -> str:
        """Give what a command prints; it has to succeed."""
        done = self.run(command, given=given)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def restart(
        self, *, profiles: Mapping[str, int] | None = None, blocked: Sequence[str] = (), **environment: int
    ) -> None:
        """Start it anew: profiles with their validity in seconds, names it refuses, and its own variables."""
        settings = json.loads(self.says(f"cat {CONFIGURATION}"))
        offered = profiles or {"default": 90 * DAY}
        settings["pebble"]["profiles"] = {
            name: {"description": name, "validityPeriod": validity} for name, validity in offered.items()
        }
        settings["pebble"]["domainBlocklist"] = list(blocked)
        self.says(f"cat >{CONFIGURATION}", given=json.dumps(settings))
        lines = [f"Environment={name}={value}" for name, value in environment.items()]
        self.says(f"cat >{ENVIRONMENT}", given="\n".join(["[Service]", *lines, ""]))
        self.says("systemctl daemon-reload; systemctl restart pebble.service")
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        until(lambda: self.run("curl -skf https://localhost:14000/dir").returncode == 0, "Pebble answers")

    def ask_to_renew(self, pem: str) -> None:
        """Say of a certificate that its time to be renewed has passed."""
        window = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}
        told = json.dumps({"Certificate": pem, "ARIResponse": json.dumps({"suggestedWindow": window})})
        self.says("curl -skf --data-binary @- https://localhost:15000/set-renewal-info/", given=told)


def serial(server: Machine, file: str) -> str:
    """The serial number of a certificate on the server."""
    return str(server.check_output(f"openssl x509 -noout -serial -in {file}")).removeprefix("serial=")


def newest_serial(server: Machine, name: str = NAME) -> str:
    """The serial number of the newest certificate that certbot has."""
    return serial(server, f"/etc/letsencrypt/live/{name}/cert.pem")


def served_serial(visitor: Machine, server: Machine, name: str = NAME) -> str:
    """The serial number that a visitor gets to see."""
    target = f"{server.addresses[0]}:443"
    shown = visitor.check_output(
        f"openssl s_client -connect {target} -servername {name} </dev/null 2>/dev/null | openssl x509 -noout -serial"
    )
    return str(shown).removeprefix("serial=")


def one_pass(server: Machine) -> int:
    """Start the unit that the timer starts, once; its exit status."""
    return int(server.run(f"systemctl reset-failed {UNIT}; systemctl start {UNIT}").rc)


def renew(server: Machine) -> int:
    """A pass of the timer. Pebble refuses nonces at random: another pass then."""
    for _ in range(PASSES):
        began = server.check_output("date +%s.%N")
        status = one_pass(server)
        if status == 0 or "badNonce" not in server.check_output(f"journalctl --sync; journalctl -u {UNIT} -S @{began}"):
            break
    return status


def journal(server: Machine, unit: str = UNIT) -> str:
    """The last words of a unit, all that it has written by now."""
    return str(server.check_output(f"journalctl --sync; journalctl --no-pager -o cat -n 60 -u {unit}"))


def make_due(server: Machine, *, due: bool) -> None:
    """Have the certificate due for renewal by its own settings, or by its lifetime again."""
    server.check_output(f"sed -i '/^renew_before_expiry/d' {RENEWAL}")
    if due:
        server.check_output(f"sed -i '1i renew_before_expiry = 3650 days' {RENEWAL}")


def register_again(server: Machine) -> None:
    """Give every lineage an account at a directory that has forgotten the former one."""
    url, bundle = server.variable("certbot_directory_url"), "/etc/letsencrypt/ca-bundle.pem"
    command = f"/opt/art32/certbot/bin/certbot register --agree-tos --register-unsafely-without-email --server {url}"
    for _ in range(5):
        server.check_output("rm -rf /etc/letsencrypt/accounts")
        if server.run(f"REQUESTS_CA_BUNDLE={bundle} {command}").rc == 0:
            break
    account = server.check_output("basename $(ls -d /etc/letsencrypt/accounts/*/dir/*)")
    server.check_output(f"sed -i 's/^account = .*/account = {account}/' /etc/letsencrypt/renewal/*.conf")
