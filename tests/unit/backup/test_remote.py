"""What the backup's own login lets through: the program itself, with pgBackRest replaced by an echo."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles/backup/templates/usr/local/lib/art32/pgbackrest-remote.j2"
LEVELS = "--log-level-console=off --log-level-file=off --log-level-stderr=error"
# As pgBackRest 2.45 and 2.55 send them.
PUSH = f"pgbackrest --exec-id=2677-e8eec87a --lock=db-archive-1.lock {LEVELS} --process=0 --remote-type=repo"
PUSH += " --repo=1 --stanza=db archive-push:remote"
CHECK = f"/usr/bin/pgbackrest --exec-id=2705-733c7014 {LEVELS} --pg1-path=/var/lib/postgresql/17/main"
CHECK += " --pg1-socket-path=/var/run/postgresql --process=0 --remote-type=pg --stanza=db check:remote"


def run(tmp_path: Path, part: str, arguments: list[str], command: str) -> tuple[int, str]:
    """Exit code of the program, and the command that it would have become."""
    environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - no HTML
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        __backup_part=part, inventory_hostname="db"
    )
    program = tmp_path / "remote"
    program.write_text(
        text.replace("exec /usr/bin/pgbackrest", "echo")
        .replace("exec /usr/local/lib/art32/activity-heads", "exec echo")
        .replace("logger ", ": "),
        encoding="utf-8",
    )
    done = subprocess.run(
        ["/bin/sh", str(program), *arguments],
        env={"SSH_ORIGINAL_COMMAND": command, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def on_repository(tmp_path: Path, command: str) -> tuple[int, str]:
    return run(tmp_path, "repository", ["repo", "db"], command)


def on_database(tmp_path: Path, command: str) -> tuple[int, str]:
    return run(tmp_path, "database", ["pg"], command)


def test_both_sides_get_what_they_are_for(tmp_path: Path) -> None:
    assert on_repository(tmp_path, PUSH) == (0, PUSH.partition(" ")[2])
    assert on_database(tmp_path, CHECK) == (0, CHECK.partition(" ")[2])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("archive-push:", "expire:"),
        ("archive-push:", "stanza-delete:"),
        ("archive-push:remote", "archive-push"),
        ("--stanza=db", "--stanza=other"),
        ("--stanza=db", ""),
        ("--remote-type=repo", "--remote-type=pg"),
        ("--remote-type=repo", ""),
        ("--repo=1", "--repo1-path=/etc"),
        ("--repo=1", "--config=/tmp/mine"),
        ("--repo=1", "--cmd-ssh=/tmp/mine"),
        ("--repo=1", "--pg1-path=/var/lib/postgresql/../../etc"),
        ("--repo=1", "--lock=$(id)"),
        ("--repo=1", "--lock=*"),
        ("archive-push:remote", "archive-push:remote;id"),
        ("archive-push:remote", "archive-push:remote ; id"),
        ("archive-push:remote", "archive-push:remote\nid"),
        ("pgbackrest", "/srv/pgbackrest"),
        ("pgbackrest", "sh -c"),
    ],
)
def test_everything_else_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert on_repository(tmp_path, PUSH.replace(old, new, 1)) == (126, "")


def test_no_command_is_refused(tmp_path: Path) -> None:
    assert on_repository(tmp_path, "") == (126, "")


@pytest.mark.parametrize("arguments", [["repo", "db"], ["pg"]])
def test_a_side_does_not_play_the_other(tmp_path: Path, arguments: list[str]) -> None:
    part = "database" if arguments[0] == "repo" else "repository"
    assert run(tmp_path, part, arguments, PUSH)[0] != 0


HEADS = "activity-heads platform:12 other_1:3"


def test_repository_may_ask_how_far_the_activity_logs_have_come(tmp_path: Path) -> None:
    assert on_database(tmp_path, HEADS) == (0, HEADS.partition(" ")[2])
    assert on_repository(tmp_path, HEADS)[0] == 126


@pytest.mark.parametrize("word", ["platform:1;id", "$(id)", "../x:1", "a/b:1", "--help", "*"])
def test_question_about_the_logs_is_no_way_to_anything_else(tmp_path: Path, word: str) -> None:
    assert on_database(tmp_path, f"activity-heads {word}") == (126, "")
