"""One person comes, works and leaves. Every operation is the operator's own command."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from conftest import ROOT, SECONDS, newest, opened, shown

from controls.web import Client
from tests.pages import check_page, message_of, task_of

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Play

    from controls.environment import Environment
    from controls.machine import Lab, Machine

OnPage = Callable[[str, str, str], None]

OLDEST = ROOT / "tests" / "oldest_environment"
# The test hosts' own, and what an offboarding adds.
LATER = {"testhosts.yml", "revocations.yml"}
DOMAIN = "platform.example.test"
PASSWORD = "kims-own-for-this-test-4711"  # noqa: S105 - of a test host


# How the password begins, how many invitations wait, how many sessions there are.
INVITED = """
SELECT left(password, 1),
       (SELECT count(*) FROM accounts_link WHERE account_id = account.id AND used_at IS NULL),
       (SELECT count(*) FROM accounts_session WHERE account_id = account.id)
  FROM accounts_account account WHERE email = 'kim@example.test'
"""


def outcomes(record: dict[str, Any]) -> dict[str, str]:
    return {trial["layer"]: trial["found"] for trial in record["trials"]}


def people(declaration: Environment) -> list[str]:
    text = (declaration.directory / "group_vars/all/people.yml").read_text(encoding="utf-8")
    assert text.startswith("---\n# Who has access to what")
    return [person["name"] for person in yaml.safe_load(text)["people"]]


@pytest.fixture(scope="module")
def host(lab: Lab) -> Machine:
    """The server. Not the audit's fixture: pytest would gather the tests that have it, and here they are in order."""
    return lab.machine("server")


@pytest.fixture(scope="module")
def platform(management: Machine, host: Machine) -> Client:
    """The platform, as a browser sees it from where the provider's people sit."""
    return Client(management, host.addresses[0], DOMAIN)


@pytest.fixture
def on_page(declaration: Environment, records: Path) -> OnPage:
    """Compare what an operation said with docs/people.md."""

    def compare(operation: str, said: str, words: str) -> None:
        command = f"ansible-playbook -i inventories/production playbooks/{operation}.yml -e person=kim {words}"
        check_page("people.md", command, task_of(said, "Tell what was proved"), shown(declaration, records))

    return compare


def log_in(site: Client, password: str) -> int:
    """Try kim's e-mail address and a password; 302 when they are accepted."""
    assert site.get("/login/").status == 200
    return site.post("/login/", {"username": "kim@example.test", "password": password}).status


def test_an_environment_of_the_oldest_version_is_a_whole_site(
    play: Play, declaration: Environment, platform: Client
) -> None:
    written = {path.name for path in (declaration.directory / "group_vars/all").iterdir()}
    assert written - LATER == {path.name for path in (OLDEST / "group_vars/all").iterdir()}
    assert declaration.services[0]["secrets"].keys() == {"DJANGO_SECRET_KEY"}
    assert platform.get("/healthz").status == 200
    code, said = play("site")
    assert code == 0, said
    assert said.count("changed=0") == 2, said
    assert "[WARNING]" not in said


def test_a_person_comes(play: Play, declaration: Environment, records: Path, on_page: OnPage) -> None:
    words = {"email": "kim@example.test", "ssh": "user", "database": "readonly", "platform": "staff"}
    code, said = play("onboard", person="kim", **words)
    assert code == 0, said
    on_page("onboard", said, "-e email=kim@provider.example -e ssh=user -e database=readonly -e platform=staff")
    assert people(declaration) == ["jane", "joe", "kim"]
    record = newest(records, "*-onboard-kim.json")
    assert record["proved"]
    assert outcomes(record) == {"ssh": "in", "database": "in", "platform": "in"}
    assert f"https://{DOMAIN} accepts the password" in [trial["said"] for trial in record["trials"]]
    assert record["by"] == "jane"


def test_what_was_tried_leaves_the_invitation_and_no_way_in(host: Machine) -> None:
    found = host.check_output("cd /; sudo -u postgres psql -XAtqd platform -c %s", INVITED)
    assert found == "!|1|0"


def test_a_person_works(host: Machine, platform: Client) -> None:
    words = "sudo art32-manage platform member --email kim@example.test --password-stdin"
    host.check_output(f"printf %s {shlex.quote(PASSWORD)} | {words}")
    assert log_in(platform, PASSWORD) == 302
    assert platform.get("/").status == 200
    unit = "--unit=kims-work --property=Type=exec --property=SuccessExitStatus=SIGKILL"
    host.check_output(f"systemd-run --uid=kim {unit} sleep 1000")
    assert host.check_output("pgrep -u kim -l").endswith("sleep")


def test_an_offboarding_that_stops_half_way_forgets_nobody(
    play: Play, declaration: Environment, platform: Client
) -> None:
    code, said = play("offboard", by="nobody", person="kim", reason="left")
    assert code == 2, said
    assert people(declaration) == ["jane", "joe"]
    assert opened(declaration)["vault_former"] == {"people.kim": "kim@example.test"}
    assert platform.get("/").status == 200


def test_a_person_leaves_while_working(
    play: Play, declaration: Environment, records: Path, platform: Client, on_page: OnPage
) -> None:
    code, said = play("offboard", person="kim", reason="left")
    assert code == 0, said
    on_page("offboard", said, "-e reason=left")
    assert people(declaration) == ["jane", "joe"]
    assert "vault_former" not in opened(declaration)
    record = newest(records, "*-offboard-kim.json")
    assert record["proved"], record
    layers = ("ssh", "database", "platform", "sessions", "processes", "connections")
    assert outcomes(record) == dict.fromkeys(layers, "out")
    said_by_layer = {trial["layer"]: trial["said"] for trial in record["trials"]}
    assert "Permission denied" in said_by_layer["ssh"]
    assert f"https://{DOMAIN} refuses the right password" in said_by_layer["platform"]
    assert platform.get("/").location.startswith("/login/")
    assert log_in(platform, PASSWORD) == 200
    assert "kim" in (declaration.directory / "group_vars/all/revocations.yml").read_text(encoding="utf-8")


def test_who_runs_it_cannot_be_taken_out_nor_a_misspelt_name(play: Play, declaration: Environment) -> None:
    code, said = play("offboard", person="jane")
    assert code == 2
    assert "person: jane is not allowed; somebody else" in said
    code, said = play("offboard", person="jo")
    assert code == 2
    assert "person: jo is not allowed; the name of a person (did you mean joe?)" in said
    command = "ansible-playbook -i inventories/production playbooks/offboard.yml -e person=jo"
    check_page("people.md", command, message_of(said))
    assert people(declaration) == ["jane", "joe"]


def test_a_way_in_that_was_left_is_found(declaration: Environment, records: Path) -> None:
    """The trial turns red: joe is still in, and is said to have left."""
    command = ["scripts/try-access", str(declaration.directory), "person", "joe", "--operation", "offboard"]
    command += ["--entry", "{email: joe@example.test}"]
    settings = {**os.environ, "ART32_RECORDS": str(records), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=settings, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT AS WANTED: ssh on server is in: logged in" in done.stdout
    assert "NOT AS WANTED: database on server is in: logged in" in done.stdout
    assert "NOT AS WANTED: platform on server is in: the account is active" in done.stdout
    assert not newest(records, "*-offboard-joe.json")["proved"]
