"""Secrets that the platform has to read again: encrypted, so that who reads the database does not read them.

AES-256-GCM with a nonce of its own each time; what a secret is about is authenticated with it, so that it cannot be
moved to another account. The key is derived from PLATFORM_DATA_KEY; where there is none, from the secret key.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

__all__ = ["SealError", "is_sealed", "opened", "sealed"]

VERSION = "1:"
NONCE_BYTES = 12
KEY_BYTES = 32


class SealError(Exception):
    """What is not sealed, was sealed with another key, is about something else, or was changed."""


def sealed(secret: bytes, *, about: str) -> str:
    """Encrypt a secret, with the first of the keys.

    Raises SealError when there is no key.
    """
    keys = _keys()
    if not keys:
        raise SealError("There is neither PLATFORM_DATA_KEY nor DJANGO_SECRET_KEY.")
    nonce = secrets.token_bytes(NONCE_BYTES)
    return VERSION + base64.urlsafe_b64encode(nonce + keys[0].encrypt(nonce, secret, about.encode())).decode()


def opened(text: str, *, about: str) -> bytes:
    """Decrypt what was sealed, with whichever key fits.

    Raises SealError when none does.
    """
    try:
        content = base64.urlsafe_b64decode(text.removeprefix(VERSION) if is_sealed(text) else "")
    except binascii.Error as error:
        raise SealError("This is not sealed.") from error
    nonce, rest = content[:NONCE_BYTES], content[NONCE_BYTES:]
    for key in _keys() if rest else ():
        try:
            return key.decrypt(nonce, rest, about.encode())
        except InvalidTag:
            continue
    raise SealError("No key opens this.")


def is_sealed(text: str) -> bool:
    """Whether a text looks like what `sealed` makes."""
    return text.startswith(VERSION)


def _keys() -> list[AESGCM]:
    """The key that seals, and those that only open."""
    known = [text for text in (settings.PLATFORM_DATA_KEY, settings.SECRET_KEY) if text]
    return [AESGCM(HKDF(SHA256(), KEY_BYTES, None, b"art32 platform: sealing").derive(text.encode())) for text in known]
