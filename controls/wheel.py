"""The checks as a wheel: what the watch's own Python environment has of this project."""

from __future__ import annotations

__all__ = ["wheel"]

import base64
import io
import zipfile
from hashlib import sha256
from typing import TYPE_CHECKING

import yaml

from .environment import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

NAME = "art32_watch"
PLACE = "ansible_collections/art32/server"  # where Ansible finds the collection's filters, which templates use
# The checks, what they import, and the roles' files that hosts are compared with.
PARTS = (
    *(
        "controls/**/*",
        "plugins/module_utils/*.py",
        "plugins/module_utils/cloud/*.py",
        "plugins/module_utils/declaration/*.py",
        "plugins/filter/*",
    ),
    *(
        "roles/*/defaults/*",
        "roles/sshd/*/**/*",
        "roles/firewall/files/**/*",
        "roles/base/files/**/*",
        "roles/watch/files/**/*",
    ),
    *("scripts/verify-bundle", "meta/runtime.yml", "galaxy.yml"),
)
EPOCH = (1980, 1, 1, 0, 0, 0)


def wheel() -> tuple[str, bytes]:
    """The wheel's file name and content; the same for the same files."""
    galaxy = yaml.safe_load((PROJECT / "galaxy.yml").read_text(encoding="utf-8"))
    name, info = f"{NAME}-{galaxy['version']}", f"{NAME}-{galaxy['version']}.dist-info"
    files = {f"{PLACE}/{path.relative_to(PROJECT)}": path.read_bytes() for path in _sources()}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {galaxy['version']}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: art32\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return f"{name}-py3-none-any.whl", buffer.getvalue()


def _sources() -> list[Path]:
    found = {path for part in PARTS for path in PROJECT.glob(part)}
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(content).digest()).decode().rstrip("=")
