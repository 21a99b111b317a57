"""What a restore and a restore drill share: the declared cluster, its backups, and a copy of it in a place of its own.

Everything that touches data runs as `postgres`; the callers are root.
"""

from __future__ import annotations

__all__ = ["Backup", "Cluster", "Copy", "RestoreError", "Target", "run"]

import configparser
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONFIGURATION = Path("/etc/pgbackrest/pgbackrest.conf")
HOME = Path("/var/lib/postgresql")
ACCOUNT = "postgres"
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": str(HOME)}
PATIENCE = 0.2
# A restore waits for the disk, which confirms each file, more than it computes.
FILES_AT_ONCE = 4
NEVER_ARCHIVED = "SELECT archived_count = 0 AND failed_count > 0 FROM pg_stat_archiver"
ARCHIVED = "SELECT coalesce(last_archived_wal, '') >= '{}' FROM pg_stat_archiver"
# A recovering server refuses to start with less than the one that wrote the log had.
AT_LEAST = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
CONTROL_NAMES = {"max_prepared_transactions": "max_prepared_xacts", "max_locks_per_transaction": "max_locks_per_xact"}


class RestoreError(Exception):
    """Why nothing was restored; the message says what to do about it where that is known."""


def run(*command: str, account: str = ACCOUNT, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - subprocess's own
    """Run a program as an account of the system, without anything of the caller's surroundings."""
    prefix = ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups", "--"]
    words = [*(prefix if account != "root" else []), *command]
    settings: dict[str, Any] = {"capture_output": True, "text": True, "cwd": "/", "env": ENVIRONMENT}
    done = subprocess.run(words, check=False, **(settings | options))
    if check and done.returncode:
        told = (done.stderr or "").strip() or (done.stdout or "").strip() or f"exit code {done.returncode}"
        raise RestoreError(f"{Path(command[0]).name}: {told}")
    return done


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One complete backup; times in UTC, sizes in bytes."""

    label: str
    kind: str
    began: datetime
    ended: datetime
    size: int
    delta: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which state is wanted: that of a moment, that of a restore point, or the newest (neither)."""

    moment: datetime | None = None
    point: str = ""

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.moment:
            return f"the state of {self.moment.isoformat(sep=' ', timespec='seconds')}"
        return f"the state of the restore point {self.point}" if self.point else "the newest state"

    def options(self) -> list[str]:
        """The options of `pgbackrest restore`."""
        if self.moment:
            when = self.moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
            return ["--type=time", f"--target={when}", "--target-action=promote"]
        if self.point:
            return ["--type=name", f"--target={self.point}", "--target-action=promote"]
        return ["--type=default"]


class Cluster:
    """The host's declared cluster, as pgBackRest's configuration names it."""

    def __init__(self, configuration: Path = CONFIGURATION) -> None:
        """Read where it is."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(configuration)
        stanzas = [name for name in parser.sections() if not name.startswith("global")]
        if len(stanzas) != 1:
            raise RestoreError(f"{configuration} names no stanza; has the role backup been applied to this host?")
        self.stanza = stanzas[0]
        self.data = Path(parser[self.stanza]["pg1-path"])
        self.port = int(parser[self.stanza].get("pg1-port", "5432"))
        self.version = self.data.parent.name
        self.binaries = Path("/usr/lib/postgresql", self.version, "bin")
        self.configuration = Path("/etc/postgresql", self.version, "main")
        self.unit = f"postgresql@{self.version}-main.service"

    def ask(self, statement: str, database: str = "postgres", *, directory: str = "/var/run/postgresql") -> str:
        """Ask a server of this version by its socket, the live one unless another directory is named."""
        where = ["--host", directory, "--port", str(self.port), "--dbname", database]
        return run(
            str(self.binaries / "psql"), "-XAtq", "--set=ON_ERROR_STOP=1", *where, "--command", statement
        ).stdout.strip()

    def is_running(self) -> bool:
        """Whether the live server runs."""
        return run("systemctl", "is-active", "--quiet", self.unit, account="root", check=False).returncode == 0

    def stop(self) -> None:
        """Stop the live server."""
        run("systemctl", "stop", self.unit, account="root")

    def start(self) -> None:
        """Start the live server, and wait until it answers."""
        run("systemctl", "reset-failed", self.unit, account="root", check=False)
        run("systemctl", "start", self.unit, account="root")
        self.ask("SELECT 1")

    def hand_over(self, seconds: float = 60) -> bool:
        """Let the repository have every change until now, if the server runs; whether it has.

        A moment can be restored only when the log goes beyond it, so a commit of its own stands at the end.
        """
        # A new cluster, say that of a fresh host, is none that the repository knows.
        if not self.is_running() or self.ask(NEVER_ARCHIVED) == "t":
            return False
        self.ask("SELECT pg_current_xact_id()")
        return self.wait_for_archive(self.ask("SELECT pg_walfile_name(pg_switch_wal())"), seconds)

    def wait_for_archive(self, segment: str, seconds: float) -> bool:
        """Wait until the repository has a file of the log; whether it has."""
        until = time.monotonic() + seconds
        while self.ask(ARCHIVED.format(segment)) != "t":
            if time.monotonic() > until:
                return False
            time.sleep(PATIENCE)
        return True

    def backups(self) -> list[Backup]:
        """Its complete backups, oldest first. Raises RestoreError when there is none."""
        words = [f"--stanza={self.stanza}", "--output=json", "--log-level-console=error", "info"]
        found = [entry for entry in json.loads(run("pgbackrest", *words).stdout) if entry["name"] == self.stanza]
        backups = [_backup(entry) for entry in (found[0].get("backup", []) if found else []) if not entry.get("error")]
        if not backups:
            raise RestoreError(f"the repository has no complete backup of {self.stanza}")
        return backups

    def backup_for(self, target: Target) -> Backup:
        """The backup that a target is reached from. Raises RestoreError when it is older than all of them."""
        backups = self.backups()
        usable = [backup for backup in backups if not target.moment or backup.ended < target.moment]
        if not usable:
            raise RestoreError(
                f"{target} cannot be reached; the oldest backup ended at "
                f"{backups[0].ended.isoformat(sep=' ', timespec='seconds')}"
            )
        return usable[-1]


class Copy:
    """A restored cluster in a directory of its own, with a socket of its own, that talks to nobody else."""

    def __init__(self, cluster: Cluster, place: Path, sockets: Path) -> None:
        """Nothing is there yet."""
        self.cluster = cluster
        self.data = place / "data"
        self.log = place / "log"
        self.sockets = sockets

    def fetch(self, target: Target, *, label: str = "", only: Sequence[str] = ()) -> None:
        """Let pgBackRest write the data directory; `only` names the databases that matter."""
        options = [f"--stanza={self.cluster.stanza}", f"--pg1-path={self.data}", "--log-level-console=error"]
        options += [f"--process-max={FILES_AT_ONCE}"]
        options += [f"--set={label}"] if label else []
        options += [f"--db-include={name}" for name in only]
        run("pgbackrest", *options, *target.options(), "restore")

    def configure(self, services: bool = False) -> None:
        """Give it a configuration without network and archive; services get in as in the live one if asked for."""
        least = self._least()
        settings: Mapping[str, str] = least | {
            "listen_addresses": "",
            "port": str(self.cluster.port),
            "unix_socket_directories": str(self.sockets),
            "archive_mode": "off",
            "shared_buffers": "64MB",
            "jit": "off",  # a unit that may not make code at run time runs it
            "fsync": "off",
            "full_page_writes": "off",
            "ssl": "off",
            "logging_collector": "off",
            "log_min_messages": "warning",
        }
        lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        rules = "local all postgres peer\n" + ("local all all peer map=art32\n" if services else "")
        ident = self.cluster.configuration / "pg_ident.conf"
        mapping = ident.read_text(encoding="utf-8") if services and ident.exists() else ""
        for name, text in {"postgresql.conf": lines, "pg_hba.conf": rules, "pg_ident.conf": mapping}.items():
            write_as_postgres(self.data / name, text)

    def start(self, seconds: int) -> None:
        """Start it and wait until it has replayed what its target wants. Raises RestoreError with its log's end."""
        options = f"-c config_file={self.data}/postgresql.conf -c hba_file={self.data}/pg_hba.conf"
        options += f" -c ident_file={self.data}/pg_ident.conf"
        self.run_server(options, seconds)

    def run_server(self, options: str, seconds: int) -> None:
        """Start a server on the directory with options of its own, and wait until it has recovered."""
        control = [str(self.cluster.binaries / "pg_ctl"), "-D", str(self.data), "-s"]
        words = [*control, "-w", "-t", str(seconds), "-l", str(self.log), "-o", options, "start"]
        # The server keeps what it inherits, so its output is not a pipe that somebody waits for.
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "capture_output": False}
        if run(*words, check=False, **nowhere).returncode:
            raise RestoreError(f"the restored cluster does not start: {self._last_words()}")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.ask("SELECT pg_is_in_recovery()") == "f":
                    return
            except RestoreError:
                if not (self.data / "postmaster.pid").exists():
                    break
            time.sleep(PATIENCE)
        raise RestoreError(f"the restored cluster has not recovered: {self._last_words()}")

    def ask(self, statement: str, database: str = "postgres") -> str:
        """Ask this copy."""
        return self.cluster.ask(statement, database, directory=str(self.sockets))

    def stop(self, mode: str = "fast") -> None:
        """Stop it if it runs."""
        if (self.data / "postmaster.pid").exists():
            control = [str(self.cluster.binaries / "pg_ctl"), "-D", str(self.data), "-s", "-w", "-m", mode, "stop"]
            run(*control, check=False)

    def _least(self) -> dict[str, str]:
        """The limits that the log of this copy was written with."""
        control = run(str(self.cluster.binaries / "pg_controldata"), str(self.data)).stdout
        known = dict(line.split(":", 1) for line in control.splitlines() if ":" in line)
        return {name: known[f"{CONTROL_NAMES.get(name, name)} setting"].strip() for name in AT_LEAST}

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return " / ".join(lines[-5:]) or "it has not said why"


@contextmanager
def scratch(cluster: Cluster, purpose: str, sockets: Path | None = None) -> Iterator[Copy]:
    """A copy that ends, and leaves nothing, with the block; its socket is in a new directory where none is named."""
    place = Path(tempfile.mkdtemp(prefix=f"art32-{purpose}-", dir=HOME))
    if sockets is None:
        sockets = Path(tempfile.mkdtemp(prefix=f"art32-{purpose}-", dir="/run"))
    sockets.mkdir(exist_ok=True)
    account = pwd.getpwnam(ACCOUNT)
    for path in (place, sockets):
        os.chown(path, account.pw_uid, account.pw_gid)
    sockets.chmod(0o755)
    copy = Copy(cluster, place, sockets)
    try:
        yield copy
    finally:
        copy.stop("immediate")
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def write_as_postgres(path: Path, text: str) -> None:
    """Write a file that belongs to the server's account, without following a link that lies in its place."""
    path.unlink(missing_ok=True)
    run("sh", "-c", 'umask 077; cat >"$1"', "sh", str(path), input=text)


def _backup(entry: Mapping[str, Any]) -> Backup:
    began, ended = (datetime.fromtimestamp(entry["timestamp"][name], tz=UTC) for name in ("start", "stop"))
    info = entry["info"]
    return Backup(
        label=entry["label"], kind=entry["type"], began=began, ended=ended, size=info["size"], delta=info["delta"]
    )
