"""Prints what a host's logs say about who changed what since a time: logins, programs run as root, files, packages.

Usage: changes.py SECONDS (since 1970). Of a program only the path is told, never its arguments: they may hold secrets.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

LOGS = ("sudo", "su", "login", "sshd", "sshd-session")
RAN = re.compile(r"\s*(?P<account>\S+) : .*?USER=(?P<as>\S+) ; .*?COMMAND=(?P<program>\S+)(?P<rest>.*)", re.DOTALL)
LOGIN = re.compile(r"Accepted (?P<way>\S+) for (?P<account>\S+) from (?P<where>.*)", re.DOTALL)
BY_ANSIBLE = "BECOME-SUCCESS"
WATCHED = ("/etc", "/usr/local")
PACKAGES = Path("/var/log/dpkg.log")
DONE = ("install", "upgrade", "remove", "purge")
MOST = 100
SESSION = 24 * 3600  # seconds that a session of somebody who is still there may last: as long as a certificate


def journal(start: int) -> list[dict[str, object]]:
    """Logins, and who ran what as somebody else; of those, too, with what they had logged in before."""
    names = [word for name in LOGS for word in ("-t", name)]
    command = ["journalctl", "-q", "--no-pager", "-o", "json", f"--since=@{start - SESSION}", *names]
    found, sessions = [], {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        entry = json.loads(line)
        said, time = str(entry.get("MESSAGE", "")), int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        ran, came = RAN.match(said), LOGIN.match(said)
        if came and time < start:
            text = f"{came['way']} {came['where']}"
            sessions[came["account"]] = {"time": time, "kind": "session", "account": came["account"], "text": text}
        elif time < start:
            continue
        elif ran:
            text = "Ansible" if BY_ANSIBLE in ran["rest"] else ran["program"]
            found.append({"time": time, "kind": "ran", "account": ran["account"], "text": text, "as": ran["as"]})
        elif came:
            text = f"{came['way']} {came['where']}"
            found.append({"time": time, "kind": "login", "account": came["account"], "text": text})
    return [
        *(session for account, session in sessions.items() if any(act["account"] == account for act in found)),
        *found,
    ]


def files(start: int) -> list[dict[str, object]]:
    """Files below /etc and /usr/local that were written, or given another owner or mode."""
    found = []
    for top in WATCHED:
        for where, _, names in os.walk(top):
            for name in names:
                path = f"{where}/{name}"
                with suppress(OSError):  # it has just gone
                    changed = os.lstat(path).st_ctime
                    if changed >= start:
                        found.append({"time": changed, "kind": "file", "account": "", "text": path})
    return found


def packages(start: int) -> list[dict[str, object]]:
    """Packages that came, went or changed; dpkg writes the host's own time."""
    found = []
    for line in PACKAGES.read_text(encoding="utf-8").splitlines() if PACKAGES.exists() else []:
        day, clock, deed, *rest = line.split()
        if deed in DONE and rest:
            time = datetime.fromisoformat(f"{day}T{clock}").timestamp()
            if time >= start:
                found.append({"time": time, "kind": "package", "account": "", "text": f"{deed} {rest[0]}"})
    return found


def main(start: int) -> None:
    """Print the newest of them, the oldest first; after the sessions that they belong to."""
    said = journal(start)
    sessions = [act for act in said if act["kind"] == "session"]
    acts = [*(act for act in said if act not in sessions), *files(start), *packages(start)]
    acts.sort(key=lambda act: float(str(act["time"])))
    json.dump([*sessions, *acts[-MOST:]], sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
