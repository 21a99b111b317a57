"""The seal: whatever is changed in a bundle afterwards is found, with nothing but OpenSSH and Python."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controls.environment import Environment
from controls.evidence import Store
from controls.report import write_bundle
from controls.seal import SealError, signer
from controls.verdict import Exceptions

VERIFY = Path("scripts/verify-bundle").resolve()
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEED = 32
FLIPS = 100
NETWORK = {
    "network_management": ["198.51.100.5/32"],
    "network_exposure": [{"service": "https", "port": 443, "from": "anywhere", "on": "all"}],
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with a key of its own."""
    return declared(tmp_path_factory.mktemp("environment"))


def declared(directory: Path, **variables: str) -> Environment:
    """An environment of one host."""
    return Environment(directory=directory, groups={"all": ["server"]}, hostvars={"server": {**NETWORK, **variables}})


def audited(environment: Environment, parent: Path, hours: int = 0) -> Path:
    """A sealed bundle."""
    time = NOON + timedelta(hours=hours)
    store = Store(parent / time.strftime("%Y%m%dT%H%M%SZ"))
    store.keep(host="server", name="seen", command="true", rc=0, stdout="as it was\n")
    write_bundle(environment, checks=[], exceptions=Exceptions(), store=store, time=time)
    return store.directory


@pytest.fixture(scope="module")
def sealed(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that nobody changes."""
    return audited(environment, tmp_path_factory.mktemp("evidence"))


def verified(bundle: Path, *words: str, key: str) -> subprocess.CompletedProcess[str]:
    """What an auditor's command says; with the system's Python and without this project's packages."""
    command = [sys.executable, "-I", "-S", str(VERIFY), *words, str(bundle), key]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_what_was_signed_is_verified(environment: Environment, sealed: Path) -> None:
    told = verified(sealed, key=signer(environment))
    assert told.returncode == 0, told.stderr
    assert "chain: 1 audit, back to the first" in told.stdout


def test_every_changed_byte_is_found(environment: Environment, sealed: Path, tmp_path: Path) -> None:
    """The seed is printed with a failure."""
    dice = random.Random(SEED)  # noqa: S311 - chooses what to break
    key = signer(environment)
    files = sorted(path.relative_to(sealed) for path in sealed.rglob("*") if path.is_file())
    for number in range(FLIPS):
        bundle = tmp_path / str(number) / sealed.name
        shutil.copytree(sealed, bundle)
        victim = files[number % len(files)]
        content = bytearray((bundle / victim).read_bytes())
        place = dice.randrange(len(content))
        content[place] ^= 1 << dice.randrange(8)
        (bundle / victim).write_bytes(content)
        told = verified(bundle, key=key)
        assert told.returncode == 1, f"seed {SEED}, number {number}: byte {place} of {victim} was changed unseen"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda bundle: (bundle / "raw/server/seen.txt").unlink(), "raw/server/seen.txt is missing"),
        (lambda bundle: (bundle / "raw/new.txt").write_text("x"), "raw/new.txt is not among what was signed"),
        (lambda bundle: (bundle / "raw/link").symlink_to("/etc/passwd"), "raw/link is not among what was signed"),
        (lambda bundle: (bundle / "manifest.json.sig").unlink(), "manifest.json.sig is missing"),
        (lambda bundle: (bundle / "manifest.json").unlink(), "manifest.json is missing"),
    ],
    ids=["removed", "added", "linked", "no signature", "no manifest"],
)
def test_a_deviation_is_named(
    environment: Environment, sealed: Path, tmp_path: Path, change: object, said: str
) -> None:
    bundle = tmp_path / sealed.name
    shutil.copytree(sealed, bundle)
    assert callable(change)
    change(bundle)
    told = verified(bundle, key=signer(environment))
    assert (told.returncode, said in told.stderr) == (1, True), told.stderr


def test_whoever_signs_anew_is_not_the_signer(environment: Environment, sealed: Path, tmp_path: Path) -> None:
    other = declared(tmp_path / "other")
    forged = audited(other, tmp_path / "evidence")
    told = verified(forged, key=signer(environment))
    assert told.returncode == 1
    assert f"signed by {signer(other)}, not by {signer(environment)}" in told.stderr


def test_what_was_kept_is_written_again_to_the_byte(environment: Environment, sealed: Path, tmp_path: Path) -> None:
    again = tmp_path / sealed.name
    shutil.copytree(sealed / "raw", again / "raw")
    write_bundle(environment, checks=[], exceptions=Exceptions(), store=Store.recalled(again), time=NOON)
    first, second = (
        {path.relative_to(bundle): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
        for bundle in (sealed, again)
    )
    assert second == first  # with the signature


def test_each_audit_names_the_one_before(environment: Environment, tmp_path: Path) -> None:
    key = signer(environment)
    first, second, third = (audited(environment, tmp_path, hours) for hours in range(3))
    assert json.loads((third / "manifest.json").read_text())["previous"]["name"] == second.name
    assert f"chain: 3 audits, back to the first, {first.name}" in verified(third, key=key).stdout
    (first / "raw/server/seen.txt").write_text("other\n")
    assert verified(third, key=key).returncode == 0  # the audit that is asked about is as it was
    assert "was changed" in verified(third, "--all", key=key).stderr
    shutil.rmtree(first)
    assert f"{first.name} and what was before it is not here" in verified(third, key=key).stdout


def test_an_audit_made_in_the_place_of_another_is_found(environment: Environment, tmp_path: Path) -> None:
    first, second = (audited(environment, tmp_path, hours) for hours in range(2))
    shutil.rmtree(first)
    store = Store(first)
    store.keep(host="server", name="seen", command="true", rc=0, stdout="another\n")
    write_bundle(environment, checks=[], exceptions=Exceptions(), store=store, time=NOON)
    told = verified(second, key=signer(environment))
    assert f"{first.name} is not the audit that was there" in told.stderr


def test_a_key_that_cannot_sign_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere.pub")
    environment = declared(tmp_path, audit_signing_key=missing)
    with pytest.raises(SealError, match=f"audit_signing_key is {missing}"):
        audited(environment, tmp_path / "evidence")


def test_an_agents_key_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            while subprocess.run(["ssh-add", "-q", key], check=False, capture_output=True).returncode != 0:
                assert agent.poll() is None
            key.unlink()
            environment = declared(tmp_path, audit_signing_key=f"{key}.pub")
            bundle = audited(environment, tmp_path / "evidence")
            assert verified(bundle, key=signer(environment)).returncode == 0
        finally:
            agent.terminate()


@pytest.mark.parametrize("words", [[], ["one"], ["one", "two", "three"]], ids=len)
def test_wrong_use_is_told(words: list[str]) -> None:
    told = subprocess.run([sys.executable, VERIFY, *words], capture_output=True, text=True, check=False)
    assert (told.returncode, "verify-bundle DIRECTORY SIGNER" in told.stderr) == (2, True)
