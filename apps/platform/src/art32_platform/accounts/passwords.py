"""How passwords are kept, and which are refused: what others know or guess, without asking anybody outside."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.core.exceptions import ImproperlyConfigured, ValidationError
from zxcvbn import zxcvbn

if TYPE_CHECKING:
    from typing import BinaryIO

    from art32_platform.accounts.models import Account

__all__ = ["BreachedPasswordValidator", "GuessablePasswordValidator", "Hasher"]

LOOKED_AT = 72  # characters; zxcvbn's time grows with the square
LEAST_SCORE = 4  # of 4: ten thousand million guesses, also with the hash in hand
WORD = re.compile(r"[\w-]{3,}")


class Hasher(BCryptSHA256PasswordHasher):
    """bcrypt over SHA-256, so that no byte beyond 72 is lost; cheaper hashes are made anew at the next login."""

    rounds = settings.PLATFORM_PASSWORD_COST


class GuessablePasswordValidator:
    """Refuses common and leaked passwords, names, keyboard rows and dates, also in disguise: what zxcvbn knows."""

    def validate(self, password: str, user: Account | None = None) -> None:
        """Raise ValidationError for a password that is soon guessed."""
        about = [settings.PLATFORM_DOMAIN, settings.PLATFORM_PROVIDER, *_words(user)]
        inputs = {word for text in about for word in (text.lower(), *WORD.findall(text.lower())) if word}
        found = zxcvbn(password[:LOOKED_AT], user_inputs=sorted(inputs))
        if found["score"] < LEAST_SCORE:
            raise ValidationError("This password is common or easy to guess.", code="password_guessable")

    def get_help_text(self) -> str:
        """For the form."""
        return "Four words that have nothing to do with each other are good; a name with a year is not."


class BreachedPasswordValidator:
    """Refuses what is on a list of breached passwords, when the operator has put one on the server.

    The list is one file of sorted lines `SHA-1` or `SHA-1:COUNT` in upper case, as Have I Been Pwned's downloader
    writes it; it is searched in place, so its size does not matter.
    """

    def validate(self, password: str, user: Account | None = None) -> None:  # noqa: ARG002 - Django's signature
        """Raise ValidationError for a password on the list, ImproperlyConfigured when the list cannot be read."""
        if not settings.PLATFORM_BREACHED_PASSWORDS:
            return
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            with Path(settings.PLATFORM_BREACHED_PASSWORDS).open("rb") as file:
                found = _is_listed(file, digest)
        except OSError as error:
            raise ImproperlyConfigured(f"PLATFORM_BREACHED_PASSWORDS: {error}.") from error
        if found:
            raise ValidationError("This password is on a list of stolen passwords.", code="password_breached")

    def get_help_text(self) -> str:
        """For the form."""
        return "Passwords that are known to be stolen are refused."


def _is_listed(file: BinaryIO, digest: bytes) -> bool:
    """Search sorted lines for one that begins with a digest, by halves."""
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        if middle:
            file.readline()  # to the start of the next line
        line = file.readline()
        if not line or line[: len(digest)] > digest:
            high = middle
        elif line[: len(digest)] == digest:
            return True
        else:
            low = middle + 1
    file.seek(0)
    return file.readline().startswith(digest)


def _words(account: Account | None) -> list[str]:
    return [account.email, account.name] if account else []
