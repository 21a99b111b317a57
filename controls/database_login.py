"""Confirms a change of the database server from where people log in: the transaction's last question before the commit.

    python -m controls.database_login DIRECTORY HOST <login.json

The JSON names `user`, `password`, `database`, `port` and `sources`, the networks that may log in. Of a person who needs
a certificate it says the `authority` too, and its `private_key`: the login makes itself a certificate. Without that key
it counts that the server asks for one. The login leaves from
the environment's management host over each address family, as the audit's does. It counts when the server's rules let
it in: on a first run the role, its password and the database come later. Without a management host in the sources, or
when it cannot be reached, nothing is proved; that is said, and is no failure.
"""

from __future__ import annotations

__all__ = ["main", "verdict"]

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from .client_certificates import issue
from .environment import read
from .evidence import NotAssessedError, Store
from .judges.firewall import covers
from .machine import Lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .machine import Machine

# Said once the rules of pg_hba have let a login in: of the password, and after it.
CERTIFICATE = "requires a valid client certificate"
LET_IN = ("password authentication failed", "does not exist", "is not permitted to log in", "permission denied")


def verdict(said: str, *, without_certificate: bool = False) -> bool:
    """Whether what the server said, if it did, means that its rules let the login in."""
    return not said or any(words in said for words in (*LET_IN, *([CERTIFICATE] if without_certificate else [])))


def main(directory: str, host: str) -> int:
    """Try it over each address; the exit code says whether all got in."""
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="art32-") as scratch:
        lab = Lab(read(Path(directory)), Store(Path(scratch)))
        try:
            if asked.get("private_key"):
                words = {name: asked[name] for name in ("authority", "private_key")}
                asked["certificate"] = issue(Path(scratch), name=asked["user"], **words)
            refused = _refused(lab, host, asked)
        except NotAssessedError as error:
            print(f"No login to the database was tried from the management: {error}")  # noqa: T201 - its answer
            return 0
        finally:
            lab.close()
    for line in refused:
        print(line, file=sys.stderr)  # noqa: T201 - its answer
    return 1 if refused else 0


def _refused(lab: Lab, host: str, asked: Mapping[str, Any]) -> list[str]:
    names = lab.environment.hosts("management")
    if not names:
        raise NotAssessedError("the environment declares no host for management")
    vantage, target = lab.machine(names[0]), lab.machine(host)
    families = {":" in own for own in vantage.addresses if covers(asked["sources"], [own])}
    tried = [address for address in target.addresses if (":" in address) in families]
    if not tried:
        raise NotAssessedError(f"{vantage.name} is in none of the declared networks")
    without = bool(asked.get("authority")) and "certificate" not in asked
    said = {address: _try(vantage, address, asked) for address in tried}
    return [
        f"{asked['user']} cannot log in to {asked['database']} at {address} from {vantage.name}: {words}"
        for address, words in said.items()
        if not verdict(words, without_certificate=without)
    ]


def _try(vantage: Machine, address: str, asked: Mapping[str, Any]) -> str:
    """What the server said when it did not let in, in one line."""
    host, port = vantage.way(address, asked["port"])
    options: dict[str, Any] = {"sslmode": "require", "connect_timeout": 20, **asked.get("certificate", {})}
    login = {"user": asked["user"], "password": asked["password"], "dbname": asked["database"]}
    try:
        psycopg.connect(host=host, port=port, **login, **options).close()
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
