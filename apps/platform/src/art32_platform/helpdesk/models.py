"""Requests for help."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models.functions import Now

__all__ = ["REFERENCE", "HelpRequest", "new_reference"]

# Without letters and digits that are mistaken for each other on the telephone.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
LENGTH = 8
REFERENCE = rf"[{ALPHABET}]{{{LENGTH}}}"


def new_reference() -> str:
    """A reference that cannot be guessed or counted."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


class HelpRequest(models.Model):
    """What somebody asked the provider's team."""

    reference = models.CharField(max_length=LENGTH, unique=True, default=new_reference, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    account = models.CharField(max_length=254, blank=True, editable=False, help_text="Who was logged in.")
    email = models.EmailField("your e-mail address", help_text="The answer goes there.")
    message = models.TextField("how can we help?", max_length=4000)
    page = models.CharField(max_length=200, blank=True)
    origin = models.GenericIPAddressField(null=True, editable=False)
    mailed_at = models.DateTimeField(null=True, editable=False, help_text="When the team's mail server took it.")
    answered = models.BooleanField(default=False)

    class Meta:
        ordering = ("-id",)
        verbose_name = "request for help"
        verbose_name_plural = "requests for help"

    def __str__(self) -> str:
        """The reference."""
        return self.reference
