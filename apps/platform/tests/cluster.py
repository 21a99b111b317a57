"""A PostgreSQL cluster for one run: on a unix socket in a folder of its own, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERUSER = "postgres"
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "listen_addresses": ""}


@contextmanager
def running_cluster() -> Iterator[Path]:
    """Start a cluster and give the folder of its socket; root lends the work to Debian's account postgres.

    Raises FileNotFoundError when no PostgreSQL server is installed.
    """
    programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), default=None)
    if programs is None:
        raise FileNotFoundError("No initdb under /usr/lib/postgresql; Debian's package postgresql has it.")
    folder = Path(tempfile.mkdtemp(prefix="platform-"))
    if os.geteuid() == 0:
        shutil.chown(folder, SUPERUSER)
    data = folder / "data"
    options = " ".join(f"-c {name}='{value}'" for name, value in {**QUICK, "unix_socket_directories": folder}.items())
    control = [programs.with_name("pg_ctl"), "-D", data, "-w", "-s"]
    try:
        _run([programs, "-D", data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        _run([*control, "-o", options, "-l", folder / "log", "start"])
        yield folder
    finally:
        if data.exists():
            _run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


def _run(command: list[str | Path]) -> None:
    lent = ["runuser", "-u", SUPERUSER, "--"] if os.geteuid() == 0 else []
    subprocess.run([*lent, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")
