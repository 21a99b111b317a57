"""What the roles of the way in lay down, as it has to be on a host: from the roles' own folders."""

from __future__ import annotations

__all__ = ["files", "paths"]

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environment import Environment

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


def files(declaration: Environment, host: str, control: str) -> dict[str, str]:
    """The digest that each file of a control has to have on a host, by its path."""
    digests = {path: sha256(source.read_bytes()).hexdigest() for path, source in _static(control).items()}
    for path, template in _filled(control).items():
        text = declaration.render("sshd", template, host)
        digests[path] = sha256(text.encode()).hexdigest()
    return digests


def _static(control: str) -> dict[str, Path]:
    role, pattern = STATIC[control]
    root = ROLES / role / "files"
    below = [path for path in root.rglob(pattern) if path.is_file()]
    return {f"/{path.relative_to(root)}": path for path in below}


def _filled(control: str) -> dict[str, str]:
    return {f"/{name}": f"{name}.j2" for name in FILLED.get(control, ())}
