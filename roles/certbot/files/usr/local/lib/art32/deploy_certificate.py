#!/usr/bin/python3
"""Hands the certificates that certbot keeps to nginx, and makes sure that nginx serves them.

    deploy-certificate NAME...    these; as certbot's deploy hook: the one just renewed
    deploy-certificate --all      every one that nginx has a place for
    deploy-certificate --check    change nothing; print which ones nginx serves, as JSON
    deploy-certificate --forget NAME...   remove their copies here; refused for one that nginx's configuration names

A certificate and its key change together: both lie in a directory of their own, and a link to it moves in one
step. When nginx refuses its configuration, or goes on serving another certificate, the link moves back and the
exit status is 1. A certificate that is already served is left alone, so this may run at any time and repairs
what an earlier run could not finish. As certbot's hook it also writes down that a certificate was renewed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LINEAGES = Path("/etc/letsencrypt/live")
RENEWALS = Path("/etc/letsencrypt/renewal")
ISSUED = Path("/var/lib/letsencrypt/art32-issued.jsonl")
PLACES = Path("/etc/nginx/certificates")
SITES = Path("/etc/nginx/sites-enabled")
LOCK = Path("/run/lock/art32-deploy-certificate")
ADDRESS = ("127.0.0.1", 443)
CONNECT_SECONDS = 3
COMMAND_SECONDS = 30
SERVED_SECONDS = 15
# Former workers take connections for a moment beside the new ones: so many in a row have to be answered by those.
IN_A_ROW = 5
KEPT_VERSIONS = 2
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


class DeployError(Exception):
    """A certificate that nginx does not serve; the message says why."""


def main() -> int:
    """Deploy what the command line or certbot's environment names; print one line for each failure."""
    arguments = read_arguments()
    if arguments.check:
        print(json.dumps({name: is_served(name) for name in names_of(arguments)}))
        return 0
    if not arguments.names and not arguments.all:
        write_down()
    failed = False
    act = forget if arguments.forget else deploy
    with locked():
        for name in names_of(arguments):
            try:
                print(f"{name}: {act(name)}")
            except (DeployError, OSError) as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr)
    return 1 if failed else 0


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Hand certbot's certificates to nginx.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="a lineage's name")
    parser.add_argument("--all", action="store_true", help="every lineage that nginx has a place for")
    parser.add_argument("--check", action="store_true", help="change nothing, print what is served as JSON")
    parser.add_argument("--forget", action="store_true", help="remove the copies of these")
    return parser.parse_args()


def names_of(arguments: argparse.Namespace) -> list[str]:
    """The lineages meant: named, all, or the one certbot has just renewed."""
    if arguments.names:
        return list(arguments.names)
    if arguments.all:
        return sorted(lineage.name for lineage in LINEAGES.glob("*/") if (PLACES / lineage.name).is_dir())
    renewed = Path(os.environ.get("RENEWED_LINEAGE", "")).name
    return [renewed] if renewed and (PLACES / renewed).is_dir() else []


def write_down() -> None:
    """Add a renewal to the log of what was issued; the run that issues a certificate writes that itself."""
    renewed = Path(os.environ.get("RENEWED_LINEAGE", "")).name
    if not renewed or "ART32_ISSUING" in os.environ:
        return
    settings = (RENEWALS / f"{renewed}.conf").read_text(encoding="utf-8")
    found = re.search(r"^server = (.*)$", settings, re.MULTILINE)
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "directory": found.group(1) if found else "",
        "names": os.environ.get("RENEWED_DOMAINS", "").split(),
        "outcome": "renewed",
    }
    with ISSUED.open("a", encoding="utf-8") as log:
        log.write(f"{json.dumps(entry)}\n")


def deploy(name: str) -> str:
    """Make nginx serve the lineage's newest certificate and say what happened.

    Raises DeployError, after putting the former certificate back, when it does not come to be served.
    """
    if is_served(name):
        return "is served"
    place = PLACES / name
    former = place.readlink() if place.is_symlink() else None
    point(place, install(name))
    try:
        reload_nginx()
        wait_until_served(name)
    except DeployError:
        if former is not None:
            point(place, former)
            with contextlib.suppress(DeployError):
                reload_nginx()
        raise
    prune(name)
    return "is served now"


def forget(name: str) -> str:
    """Remove a certificate's link and versions.

    Raises DeployError while nginx's configuration still names it.
    """
    needle = f"{PLACES / name}/"
    if any(needle in site.read_text(encoding="utf-8") for site in SITES.glob("*.conf")):
        raise DeployError("nginx's configuration names it")
    (PLACES / name).unlink(missing_ok=True)
    for version in versions_of(name):
        shutil.rmtree(version)
    return "is forgotten"


def is_served(name: str) -> bool:
    """Whether nginx has the lineage's newest certificate in its place and hands it to clients."""
    wanted = first_certificate(LINEAGES / name / "fullchain.pem")
    placed = first_certificate(PLACES / name / "fullchain.pem")
    return wanted is not None and wanted == placed == served_certificate(name)


def first_certificate(file: Path) -> bytes | None:
    """A chain's leaf as DER; None when there is no such file."""
    try:
        found = PEM.search(file.read_text(encoding="ascii"))
    except OSError:
        return None
    return ssl.PEM_cert_to_DER_cert(found.group()) if found else None


def served_certificate(name: str) -> bytes | None:
    """The certificate nginx hands to who asks for this name, as DER; None when it hands out none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(ADDRESS, timeout=CONNECT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=name) as session,
        ):
            return session.getpeercert(binary_form=True)
    except OSError:
        return None


def install(name: str) -> Path:
    """Copy the lineage's chain and key to a directory of their own; return it as the link's target."""
    lineage = LINEAGES / name
    try:
        contents = {part: (lineage / part).read_bytes() for part in ("fullchain.pem", "privkey.pem")}
    except OSError as error:
        raise DeployError(f"{error.filename} cannot be read: {error.strerror}") from error
    version = hashlib.sha256(contents["fullchain.pem"]).hexdigest()[:16]
    target = Path("versions") / f"{name}-{version}"
    directory = PLACES / target
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part, content in contents.items():
        write(directory / part, content)
    return target


def write(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, durably and in one step."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def point(place: Path, target: Path) -> None:
    """Move the link in one step."""
    link = place.with_name(f".{place.name}.new")
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(place)


def reload_nginx() -> None:
    """Test nginx's configuration and have it read again."""
    run("nginx", "-t", "-q")
    run("systemctl", "reload", "nginx.service")


def run(*command: str) -> None:
    """Run a command; raise DeployError with its own words when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(str(error)) from error
    if done.returncode:
        words = " / ".join((done.stderr or done.stdout).split("\n")).strip(" /")
        raise DeployError(f"{' '.join(command)} failed ({done.returncode}): {words}")


def wait_until_served(name: str) -> None:
    """A reload is done when only the new workers answer, some time after systemctl has returned."""
    deadline = time.monotonic() + SERVED_SECONDS
    seen = 0
    while seen < IN_A_ROW:
        if time.monotonic() > deadline:
            raise DeployError(f"nginx serves another certificate than {LINEAGES / name} after {SERVED_SECONDS} s")
        seen = seen + 1 if is_served(name) else 0
        time.sleep(0.1)


def prune(name: str) -> None:
    """Keep the newest versions: the one served and the one before it."""
    current = (PLACES / name).resolve()
    former = [version for version in versions_of(name) if version != current]
    for version in sorted(former, key=lambda one: one.stat().st_mtime)[: 1 - KEPT_VERSIONS]:
        shutil.rmtree(version)


def versions_of(name: str) -> list[Path]:
    """All versions of a certificate that are here."""
    named = re.compile(re.escape(name) + r"-([0-9a-f]{16}|placeholder)")
    return [version for version in (PLACES / "versions").iterdir() if named.fullmatch(version.name)]


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One deployment at a time: certbot's hook, the timer and a run of the site may meet."""
    with LOCK.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
