"""Secrets are replaced, and the former ones refused. Every operation is the operator's own command."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from conftest import newest, opened, shown

from controls.web import Client
from plugins.module_utils.declaration.site import texts_of
from tests.pages import check_page, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Play

    from controls.environment import Environment
    from controls.machine import Machine

DOMAIN = "platform.example.test"
EMAIL, PASSWORD = "kim@example.test", "kims-own-for-this-test-4711"
KEY, JOE = "vault_platform_secret_key", "vault_database_passwords.joe"
REQUESTS_A_SECOND = 5
# By which test's proof a secret is replaced here; every other one has to say why it stays.
REPLACED = {KEY, JOE, "vault_database_passwords.jane"}


@pytest.fixture
def platform(management: Machine, server: Machine) -> Client:
    """The platform, as a browser sees it."""
    return Client(management, server.addresses[0], DOMAIN)


def log_in(site: Client) -> int:
    """Try kim's e-mail address and password; 302 when they are accepted."""
    assert site.get("/login/").status == 200
    return site.post("/login/", {"username": EMAIL, "password": PASSWORD}).status


@contextmanager
def asking(site: Client) -> Iterator[list[str]]:
    """Ask the service and its database steadily; what was answered."""
    answers: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(1 / REQUESTS_A_SECOND):
            try:
                answers.append(str(site.get("/healthz").status))
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody was not served
                answers.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def test_a_service_s_key_is_replaced_and_the_former_one_is_worth_nothing(
    play: Play, declaration: Environment, records: Path, server: Machine, platform: Client
) -> None:
    words = f"sudo art32-manage platform member --email {EMAIL} --password-stdin"
    server.check_output(f"printf %s {PASSWORD} | {words}")
    assert log_in(platform) == 302
    assert platform.get("/").status == 200
    before = server.check_output("systemctl show --value -p InvocationID art32-platform.service")
    former = opened(declaration)[KEY]
    with asking(Client(platform.vantage, platform.address, DOMAIN)) as answers:
        code, said = play("rotate", secret=KEY)
    assert code == 0, said
    assert set(answers) == {"200"}, answers
    assert former not in said
    command = f"ansible-playbook -i inventories/production playbooks/rotate.yml -e secret={KEY}"
    check_page("environments.md", command, task_of(said, "Tell what was proved"), shown(declaration, records))
    present = opened(declaration)
    assert present[KEY] != former
    assert "vault_former" not in present
    assert server.check_output("systemctl show --value -p InvocationID art32-platform.service") != before
    held = server.check_output("cat /run/credentials/art32-platform.service/DJANGO_SECRET_KEY")
    assert held == present[KEY]
    record = newest(records, f"*-rotate-{KEY}.json")
    assert [(trial["found"], trial["wanted"]) for trial in record["trials"]] == [("out", "out"), ("in", "in")]
    assert platform.get("/").location.startswith("/login/"), "what the former key had signed is still accepted"
    assert log_in(platform) == 302
    assert platform.get("/").status == 200


def test_a_rotation_that_stopped_half_way_is_taken_up_and_the_former_password_refused(
    play: Play, declaration: Environment, records: Path
) -> None:
    former = opened(declaration)["vault_database_passwords"]["joe"]
    code, said = play("rotate", by="nobody", secret=JOE)
    assert code == 2, said
    between = opened(declaration)
    assert between["vault_former"] == {JOE: former}
    assert between["vault_database_passwords"]["joe"] != former
    assert not list(records.rglob(f"*-rotate-{JOE}.json"))
    code, said = play("rotate", secret=JOE)
    assert code == 0, said
    record = newest(records, f"*-rotate-{JOE}.json")
    assert [(trial["found"], trial["wanted"]) for trial in record["trials"]] == [("out", "out"), ("in", "in")]
    assert "password authentication failed" in record["trials"][0]["said"]
    after = opened(declaration)
    assert "vault_former" not in after
    assert after["vault_database_passwords"] == between["vault_database_passwords"]
    assert former not in said
    command = f"ansible-playbook -i inventories/production playbooks/rotate.yml -e secret={JOE}"
    check_page("environments.md", command, task_of(said, "Tell what was proved"), shown(declaration, records))


def test_the_vault_s_password_is_replaced(play: Play, declaration: Environment) -> None:
    file = declaration.directory / ".vault-password"
    former = file.read_text(encoding="utf-8")
    code, said = play("rotate", secret="vault_password")  # noqa: S106 - a name
    assert code == 0, said
    assert file.read_text(encoding="utf-8") != former
    vault = VaultLib([("default", VaultSecret(former.strip().encode()))])
    for name in ("group_vars/all/vault.yml", ".ssh/user_ca"):
        with pytest.raises(AnsibleError, match="Decryption failed"):
            vault.decrypt((declaration.directory / name).read_bytes())
    code, said = play("check")
    assert code == 0, said


def test_an_unknown_secret_is_refused_with_the_known_ones(play: Play) -> None:
    code, said = play("rotate", secret="vault_unknown")  # noqa: S106 - a name
    assert code == 2
    told = " ".join(said.split())
    assert "secret: vault_unknown is not allowed; vault_password or " in told
    assert " or vault_database_passwords.jane or " in told


def test_every_other_secret_stays_and_says_why(play: Play, declaration: Environment) -> None:
    vault = opened(declaration)
    paths = {path for name, value in vault.items() for path in texts_of(name, value)}
    assert paths >= REPLACED
    assert paths - REPLACED == {"vault_backup_cipher_pass", "vault_platform_data_key"}
    for name in paths - REPLACED:
        code, said = play("rotate", secret=name)
        assert code == 2
        assert f"secret: {name} is not allowed; it stays: " in " ".join(said.split())
    assert opened(declaration) == vault
