"""Each promise is broken in a copy of the code (mutations.toml): run for real, it turns one control red."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from controls.judges import conformance as judges

from .cluster import SUPERUSER, running_cluster
from .figures import MUTATIONS
from .serving import START_SECONDS, served
from .verdicts import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES = Path(__file__).parents[1] / "src"
# The first of each promise always; all of them with ART32_LONG=1 (make test-full PART=promises).
SAMPLE = list({mutation["control"]: mutation for mutation in reversed(MUTATIONS)}.values())
CHOSEN = (
    MUTATIONS
    if os.environ.get("ART32_LONG")
    else [*SAMPLE, *(one for one in MUTATIONS if one["name"] == "roles do not count")]
)
PASSWORD = "correct horse battery staple"
DOMAIN = "platform.example.test"
LOGIN_ROLE = "platform"
DECLARED = [
    {"email": "staff@example.test", "platform": "staff"},
    {"email": "administrator@example.test", "platform": "administrator"},
]


@dataclass(frozen=True)
class Platform:
    """The platform's code in a folder, with a database."""

    sources: Path
    socket: Path
    database: str

    def environment(self, role: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.sources),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PGHOST": str(self.socket),
            "PGUSER": role,
            "PGDATABASE": self.database,
            "PLATFORM_DOMAIN": DOMAIN,
            "PLATFORM_HELP_ADDRESS": "team@provider.example",
            "PLATFORM_MAIL_RELAY": "localhost:9",  # where nobody is
            "PLATFORM_LOGIN_ROLE": LOGIN_ROLE,
            "PLATFORM_DATA_KEY": "only-for-tests-" * 3,
        }

    def manage(self, *words: str, role: str = LOGIN_ROLE, stdin: str = "") -> str:
        command = [sys.executable, "-m", "art32_platform", *words]
        done = subprocess.run(
            command, env=self.environment(role), input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def furnish(self) -> None:
        """Make the tables as their owner, and two customers, people and trainings as the role that logs in."""
        self.manage("migrate", "--noinput", "--verbosity=0", role=SUPERUSER)
        today = f"{datetime.now(tz=UTC):%Y-%m-%d}"
        for name in ("Own GmbH", "Foreign SARL"):
            self.manage("organisation", f"--name={name}")
            contact = [f"--organisation={name}", "--email=paula@customer.example", "--name=Paula Primary"]
            self.manage("training", *contact, "--topic=How to instruct us", f"--trained-on={today}")
        for name, options in {
            "manager": ["--role=manager", "--organisation=Own GmbH"],
            "staff": ["--staff"],
            "administrator": ["--administrator"],
        }.items():
            words = [f"--email={name}@example.test", *options, "--password-stdin"]
            self.manage("member", *words, stdin=PASSWORD)

    @contextmanager
    def served(self, folder: Path) -> Iterator[Visitor]:
        """Serve with gunicorn until the end of the block, on a port that the system chooses."""
        environment = {**self.environment(LOGIN_ROLE), "DJANGO_SECRET_KEY": "only-for-tests-" * 5}
        with served(environment, folder / "gunicorn.log", "--threads", "2") as port:
            yield Visitor(port)


@dataclass(frozen=True)
class Visitor:
    """Somebody who comes through the reverse proxy without an account."""

    port: int

    def get(self, path: str) -> tuple[int, str, str]:
        """Status, Location and text of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        connection.request("GET", path, headers={"Host": DOMAIN, "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", ""), answer.read().decode(errors="replace")


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    """A cluster with a furnished database and the role that the platform logs in as."""
    with running_cluster() as folder:
        _sql(folder, f"CREATE ROLE {LOGIN_ROLE} LOGIN", "CREATE DATABASE furnished")
        _default_privileges(folder, "furnished")
        Platform(SOURCES, folder, "furnished").furnish()
        yield folder


def _default_privileges(socket: Path, database: str) -> None:
    for kind, privileges in {"TABLES": "SELECT, INSERT, UPDATE, DELETE", "SEQUENCES": "USAGE, SELECT"}.items():
        _sql(socket, f"ALTER DEFAULT PRIVILEGES GRANT {privileges} ON {kind} TO {LOGIN_ROLE}", database=database)


def _sql(socket: Path, *statements: str, database: str = "postgres") -> None:
    words = [word for statement in statements for word in ("-c", statement)]
    subprocess.run(["psql", "-Xq", "-h", socket, "-U", SUPERUSER, "-d", database, *words], check=True)


def red(platform: Platform, folder: Path) -> dict[str, list[str]]:
    """The controls that turn red by what the conformance command says and a visitor sees, with their reasons."""
    told: dict[str, Any] = json.loads(platform.manage("conformance"))
    found = problems(told, declared=DECLARED, cost=12, database=platform.database)
    with platform.served(folder) as visitor:
        status, _, page = visitor.get(told["help"]["path"])
        if status != 200 or "<textarea" not in page.partition("<main")[2].partition("</main>")[0]:
            found["JOB-1"].append(f"help answers {status} without a form")
        for path in judges.protected(told["urls"]):
            status, location, _ = visitor.get(path)
            if status not in (401, 403) and not (status == 302 and "login" in location):
                found["ACC-3"].append(f"{path} answers {status} without a login")
    return {control: reasons for control, reasons in found.items() if reasons}


@pytest.fixture
def database(socket: Path) -> Iterator[str]:
    _sql(socket, "CREATE DATABASE tried TEMPLATE furnished")
    yield "tried"
    _sql(socket, "DROP DATABASE tried WITH (FORCE)")


def test_nothing_is_red_in_the_code_as_it_is_and_nothing_stays(socket: Path, database: str, tmp_path: Path) -> None:
    platform = Platform(SOURCES, socket, database)
    before = json.loads(platform.manage("conformance"))
    assert red(platform, tmp_path) == {}
    after = json.loads(platform.manage("conformance"))
    for part in ("members", "training", "staff_access"):
        assert before[part] == after[part]
    assert before["activity"] == after["activity"], "the attempts leave no row"
    assert {one["who"] for one in before["attempts"]} >= {"anonymous", "outsider", "former", "viewer", "staff"}


@pytest.mark.parametrize("mutation", CHOSEN, ids=lambda mutation: str(mutation["name"]))
def test_broken_code_turns_exactly_its_control_red(
    socket: Path,
    database: str,
    tmp_path: Path,
    mutation: dict[str, Any],
    record_property: Callable[[str, object], None],
) -> None:
    sources = tmp_path / "src"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    file = sources / "art32_platform" / mutation["file"]
    text = file.read_text(encoding="utf-8")
    assert text.count(mutation["old"]) == 1, f"{mutation['file']} has {mutation['old']!r} another number of times"
    file.write_text(text.replace(mutation["old"], mutation["new"]), encoding="utf-8")
    platform = Platform(sources, socket, database)
    if mutation.get("migrate"):
        _sql(socket, f"DROP DATABASE {database} WITH (FORCE)", f"CREATE DATABASE {database}")
        _default_privileges(socket, database)
        platform.furnish()
    if mutation.get("deed"):
        platform.manage(*mutation["deed"])
    found = red(platform, tmp_path)
    record_property("mutation", mutation["name"])
    record_property("red", {control: len(reasons) for control, reasons in found.items()})
    assert set(found) == {mutation["control"]}, found
