"""Every kind of credential, and what sshd says of it: a good certificate gets in, nothing else does."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from controls import certificates
from controls.ssh import Login

if TYPE_CHECKING:
    from pathlib import Path

    from controls.environment import Environment
    from controls.machine import Machine

GOOD = ("-n", "jane", "-V", "-5m:+5m", "-O", "clear")


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A certificate by ssh-keygen's options; `told` is what the server's log says."""

    name: str
    told: str
    options: tuple[str, ...] = GOOD
    authority: str = "own"
    gets_in: bool = False
    prints: str = ""


ACCEPTED = r"Accepted publickey for jane .* ID {name} "
NO_PRINCIPAL = "Certificate lacks principal list|Certificate does not contain an authorized principal"
NOT_A_USERS = "Certificate invalid: not a user certificate|not in PubkeyAcceptedAlgorithms"
MATRIX = [
    Credential(name="plain-key", authority="none", told="not in PubkeyAcceptedAlgorithms"),
    Credential(name="good", options=(*GOOD, "-O", "permit-pty"), gets_in=True, told=ACCEPTED),
    Credential(name="foreign-authority", authority="foreign", told="Failed publickey for jane .* ID foreign-authority"),
    Credential(name="expired", options=("-n", "jane", "-V", "20200101:20200102"), told="Certificate invalid: expired"),
    Credential(name="future", options=("-n", "jane", "-V", "+1d:+2d"), told="Certificate invalid: not yet valid"),
    Credential(name="no-principals", options=("-V", "-5m:+5m"), told=NO_PRINCIPAL),
    Credential(
        name="other-principal",
        options=("-n", "joe", "-V", "-5m:+5m"),
        told=NO_PRINCIPAL,
    ),
    Credential(
        name="other-source",
        options=(*GOOD, "-O", "source-address=192.0.2.1/32"),
        told="not from a permitted source address|Address .* not permitted|from .* not permitted",
    ),
    Credential(name="this-source", options=(*GOOD, "-O", "source-address=0.0.0.0/0,::/0"), gets_in=True, told=ACCEPTED),
    Credential(
        name="one-command",
        options=(*GOOD, "-O", "force-command=echo forced >&2"),
        gets_in=True,
        prints="forced",
        told=ACCEPTED,
    ),
    Credential(name="clear", gets_in=True, told=ACCEPTED),
    Credential(
        name="unknown-demand",
        options=(*GOOD, "-O", "critical:nobody@knows=yes"),
        told='[Cc]ritical option "nobody@knows" is not supported|nobody@knows',
    ),
    Credential(name="hosts-certificate", options=("-h", *GOOD), told=NOT_A_USERS),
]


def sign(credential: Credential, declaration: Environment, directory: Path) -> Login:
    """A key with this certificate beside it, where there is one."""
    key, foreign = directory / "key", directory / "foreign"
    for path in (key, foreign):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    if credential.authority == "none":
        return Login(user="jane", key=key)
    own = certificates.plain(declaration, declaration.get("access_ca"), directory)
    signer = own if credential.authority == "own" else foreign
    command = ["ssh-keygen", "-q", "-s", signer, "-I", credential.name, *credential.options, key.with_suffix(".pub")]
    subprocess.run(command, check=True)
    return Login(user="jane", key=key, certificate=key.with_name("key-cert.pub"))


@pytest.mark.parametrize("credential", MATRIX, ids=[credential.name for credential in MATRIX])
def test_who_gets_in(server: Machine, declaration: Environment, tmp_path: Path, credential: Credential) -> None:
    told = server.check_output("journalctl --unit=ssh --no-pager --lines=1 --output=cat --show-cursor")
    cursor = told.splitlines()[-1].removeprefix("-- cursor: ")
    answer = server.attempt(credential.name, sign(credential, declaration, tmp_path))
    assert answer.rc == (0 if credential.gets_in else 255), answer.stderr
    assert credential.prints in answer.stderr
    if not credential.gets_in:
        assert "Permission denied (publickey)" in answer.stderr
    log = server.check_output(f"journalctl --unit=ssh --no-pager --after-cursor='{cursor}'")
    assert re.search(credential.told.format(name=credential.name) if credential.gets_in else credential.told, log), log
