# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The environment's authority, its private key readable only while something is signed."""

from __future__ import annotations

__all__ = ["signing"]

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.art32.server.plugins.module_utils import access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible.parsing.dataloader import DataLoader


@contextmanager
def signing(loader: DataLoader, private: str, public: str) -> Iterator[access.Authority]:
    """The authority that `access_ca` and `access_ca_public` declare; a decrypted copy of its key is gone afterwards.

    Raises AccessError when there is no such key.
    """
    if private.startswith(access.AGENT):
        yield access.authority(private, public)
        return
    declared = Path(private).expanduser()
    if not declared.is_file():
        raise access.AccessError(f"access_ca: {declared} is no file; it is the private key of access_ca_public")
    readable = loader.get_real_file(str(declared))
    try:
        yield access.authority(readable, public)
    finally:
        loader.cleanup_tmp_file(readable)
