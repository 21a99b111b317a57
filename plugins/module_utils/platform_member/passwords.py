# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords as the platform keeps them: Django's `bcrypt_sha256`."""

from __future__ import annotations

__all__ = ["COST", "HAS_BCRYPT", "hashed", "is_hash_of", "is_usable", "unusable"]

import hashlib
import re
import secrets

try:
    import bcrypt
except ImportError:
    HAS_BCRYPT = False
else:
    HAS_BCRYPT = True

ALGORITHM = "bcrypt_sha256"
COST = 12  # the least that the platform has; it hashes anew, at its own cost, when somebody logs in
UNUSABLE = "!"


def hashed(password: str) -> str:
    """A new hash. SHA-256 comes first, so that no byte beyond bcrypt's 72 is lost."""
    return f"{ALGORITHM}${bcrypt.hashpw(_digest(password), bcrypt.gensalt(COST)).decode()}"


def is_hash_of(stored: str, password: str) -> bool:
    """Whether a stored hash is one of this password, of the cost that is asked for or more."""
    algorithm, _, rest = stored.partition("$")
    cost = re.match(r"\$2b\$(\d\d)\$", rest)
    if algorithm != ALGORITHM or cost is None or int(cost[1]) < COST:
        return False
    return bool(bcrypt.checkpw(_digest(password), rest.encode()))


def is_usable(stored: str) -> bool:
    """Whether anybody can log in with it."""
    return bool(stored) and not stored.startswith(UNUSABLE)


def unusable() -> str:
    """What is stored for an account without a password, in Django's form."""
    return UNUSABLE + secrets.token_urlsafe(30)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode()).hexdigest().encode()
