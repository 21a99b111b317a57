"""Judging again: what was kept says the same as what was seen, and holds no secret."""

from __future__ import annotations

import email
import http.client
import json
from typing import TYPE_CHECKING

import pytest

from controls.environment import HIDDEN, Environment, recalled
from controls.evidence import NotAssessedError, Store
from controls.machine import Lab
from controls.web import SILENT, UNTRUSTED, Reply, TlsError, read, written

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-3f1c-secret"
HOSTVARS = {
    "server": {
        "vault_passwords": {"jane": CANARY},
        "postgresql_passwords": {"jane": "{{ vault_passwords.jane }}"},
        "url": "https://joe:{{ vault_passwords.jane }}@example.test/",
        "smtp": {"host": "mail.example.test", "password": "not-in-the-vault"},
        "audit_synthetic_account": {"email": "a@example.test"},
        "access_first_key": "/home/jane/.ssh/id_ed25519",
        "port": 22,
        "network_addresses": ["192.0.2.1"],
        "greeting": "{{ '{{' }} is no template any more",
    },
}


def headers(text: str) -> http.client.HTTPMessage:
    """Headers as a reply has them."""
    return email.message_from_string(text, _class=http.client.HTTPMessage)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A declaration of which something was asked."""
    made = Environment(directory=tmp_path, groups={"all": ["server"]}, hostvars=HOSTVARS)
    for name in HOSTVARS["server"]:
        if not name.startswith("vault_"):
            made.get(name)
    return made


def test_the_declaration_is_kept_without_secrets(environment: Environment) -> None:
    told = json.dumps(environment.told())
    assert CANARY not in told
    assert "not-in-the-vault" not in told
    assert "/home/jane" not in told
    assert CANARY in json.dumps(HOSTVARS)  # the search finds it where it is
    variables = environment.told()["variables"]["server"]
    assert variables["postgresql_passwords"] == {"jane": HIDDEN}
    assert variables["smtp"] == {"host": "mail.example.test", "password": HIDDEN}
    assert "audit_synthetic_account" not in variables


def test_the_declaration_that_was_kept_says_the_same(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "declaration.json").write_text(json.dumps(environment.told()))
    again = recalled(tmp_path)
    assert (again.get("port"), again.get("nothing", 5), again.addresses("server")) == (22, 5, ["192.0.2.1"])
    assert again.get("greeting") == "{{ is no template any more"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, headers=headers("A: 1\nA: 2\n"), has_form=True, protocol="TLSv1.3", certificate={"a": [1]}),
        Reply(status=302, headers=headers("Location: https://example.test/\n"), protocol="plain"),
        Reply(status=404, headers=headers("")),
    ],
    ids=["page", "redirect", "bare"],
)
def test_a_reply_is_read_as_it_waswritten(reply: Reply) -> None:
    again = read(f"GET https://example.test/ at 192.0.2.1\n\n{written(reply)}")
    assert (again.status, again.has_form, again.certificate) == (reply.status, reply.has_form, reply.certificate)
    assert again.headers.items() == reply.headers.items()


@pytest.mark.parametrize(("word", "error"), [(SILENT, AssertionError), (UNTRUSTED, TlsError)])
def test_a_failure_is_met_again(word: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="as it was said"):
        read(f"GET / at 192.0.2.1\n\n{word}as it was said\n")


def test_outputs_are_recalled_to_the_byte(tmp_path: Path) -> None:
    store = Store(tmp_path)
    texts = {"a b": "one\r\ntwo\n\x00", "a-b": "another, though its file would have the same name", "c": ""}
    for name, text in texts.items():
        store.keep(host="server", name=name, command="true", rc=3, stdout=text, stderr="said")
    store.write_index()
    again = Store.recalled(tmp_path)
    assert [(kept.name, kept.stdout, kept.rc) for kept in again.everything()] == [
        (name, text, 3) for name, text in sorted(texts.items())
    ]


def test_judging_again_contacts_nobody(environment: Environment, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.keep(host="server", name="seen", command="true", rc=0, stdout="as it was\n")
    machine = Lab(environment, store, kept_only=True).machine("server")
    assert machine.fetch("seen", "date").text == "as it was\n"
    for ask in (lambda: machine.fetch("unseen", "date"), lambda: machine.run("date"), lambda: machine.recalled("no")):
        with pytest.raises(NotAssessedError):
            ask()
