"""The deploying command's parts that need no nginx; the scenario `certbot` runs it on a real host."""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "roles/certbot/files/usr/local/lib/art32/deploy_certificate.py"
NAME = "platform.example.test"


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_certificate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for constant, folder in (("LINEAGES", "live"), ("PLACES", "places")):
        (tmp_path / folder / NAME).mkdir(parents=True)
        monkeypatch.setattr(module, constant, tmp_path / folder)
    (tmp_path / "live" / "mail.example.test").mkdir()
    (tmp_path / "live" / "README").touch()
    return module


def arguments(*names: str, everything: bool = False) -> argparse.Namespace:
    return argparse.Namespace(names=list(names), all=everything)


def test_all_means_what_nginx_has_a_place_for(deploy: ModuleType) -> None:
    assert deploy.names_of(arguments(everything=True)) == [NAME]


@pytest.mark.parametrize(("renewed", "names"), [(NAME, [NAME]), ("mail.example.test", []), ("", [])])
def test_the_hook_deploys_what_was_renewed(
    deploy: ModuleType, monkeypatch: pytest.MonkeyPatch, renewed: str, names: list[str]
) -> None:
    monkeypatch.setenv("RENEWED_LINEAGE", f"/etc/letsencrypt/live/{renewed}" if renewed else "")
    assert deploy.names_of(arguments()) == names


def test_a_version_is_readable_by_its_owner_alone(deploy: ModuleType) -> None:
    lineage = deploy.LINEAGES / NAME
    (lineage / "fullchain.pem").write_text("chain")
    (lineage / "privkey.pem").write_text("key")
    directory = deploy.PLACES / deploy.install(NAME)
    assert [oct(path.stat().st_mode & 0o777) for path in (directory, directory / "privkey.pem")] == ["0o700", "0o600"]
    assert (directory / "privkey.pem").read_text() == "key"


def test_a_lineage_without_key_is_named(deploy: ModuleType) -> None:
    (deploy.LINEAGES / NAME / "fullchain.pem").write_text("chain")
    with pytest.raises(deploy.DeployError, match=r"privkey\.pem cannot be read"):
        deploy.install(NAME)


def test_only_the_served_version_and_the_one_before_are_kept(deploy: ModuleType) -> None:
    versions = deploy.PLACES / "versions"
    ages = {f"{NAME}-placeholder": 1, f"{NAME}-{'a' * 16}": 2, f"{NAME}-{'b' * 16}": 3, f"{NAME}-{'c' * 16}": 4}
    for name, age in {**ages, f"other.{NAME}-{'d' * 16}": 0, f"{NAME}-x-{'e' * 16}": 0}.items():
        (versions / name).mkdir(parents=True)
        os.utime(versions / name, (age, age))
    (deploy.PLACES / NAME).rmdir()
    deploy.point(deploy.PLACES / NAME, Path("versions") / f"{NAME}-{'c' * 16}")
    deploy.prune(NAME)
    kept = {path.name.rsplit("-", 1)[1][0] for path in versions.iterdir()}
    assert kept == {"b", "c", "d", "e"}


def test_a_failing_command_is_told_in_its_words(deploy: ModuleType) -> None:
    with pytest.raises(deploy.DeployError, match=r"sh -c .* failed \(3\): duplicate listen"):
        deploy.run("sh", "-c", "echo duplicate listen >&2; exit 3")
