"""What the roles of the way in lay down, as it has to be on a host: from the roles' own folders."""

from __future__ import annotations

__all__ = ["files", "paths"]

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from .evidence import NotAssessedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .machine import Machine

ROLES = Path(__file__).parent.parent / "roles"
# Which files stand for which control; a role's folders are laid out like the host.
STATIC: Mapping[str, tuple[str, str]] = {
    "NET-1": ("firewall", "*"),
    "SSH-1": ("sshd", "*"),
    "ACC-1": ("base", "etc/sudoers.d/*"),
}
# Those that are filled from the declaration. What the firewall's say is compared as rules.
FILLED: Mapping[str, tuple[str, ...]] = {
    "SSH-1": ("etc/ssh/revocations", "etc/systemd/system/art32-revocations.service"),
}


def paths() -> list[str]:
    """Every path that is compared."""
    return [path for control in STATIC for path in (*_static(control), *_filled(control))]


def files(managed: Machine, control: str) -> dict[str, str]:
    """The digest that each file of a control has to have on a host, by its path; judged again, what it had to have.

    Raises NotAssessedError when an earlier audit did not keep it.
    """
    name, store = f"files-{control}-{managed.name}", managed.lab.store
    if not managed.lab.kept_only:
        managed.lab.declared(name, **_digests(managed, control))
    kept = store.find("declaration", name)
    if kept is None:
        raise NotAssessedError(f"which files {control} rests on was not kept")
    wanted: dict[str, str] = store.use(kept).json()
    return wanted


def _digests(managed: Machine, control: str) -> dict[str, str]:
    digests = {path: sha256(source.read_bytes()).hexdigest() for path, source in _static(control).items()}
    for path, template in _filled(control).items():
        text = managed.lab.environment.render("sshd", template, managed.name)
        digests[path] = sha256(text.encode()).hexdigest()
    return digests


def _static(control: str) -> dict[str, Path]:
    role, pattern = STATIC[control]
    root = ROLES / role / "files"
    below = [path for path in root.rglob(pattern) if path.is_file()]
    return {f"/{path.relative_to(root)}": path for path in below}


def _filled(control: str) -> dict[str, str]:
    return {f"/{name}": f"{name}.j2" for name in FILLED.get(control, ())}
