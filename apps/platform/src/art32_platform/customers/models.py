"""Organisations, memberships and contact persons."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

__all__ = ["Contact", "Membership", "Organisation", "Role"]


class Role(models.IntegerChoices):
    """What a member may do in one organisation; each role includes those before it."""

    VIEWER = 10, "viewer"
    EDITOR = 20, "editor"
    MANAGER = 30, "manager"


class Organisation(models.Model):
    """A customer: the entity that every permission is about."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    address = models.TextField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        """The name."""
        return self.name

    def get_absolute_url(self) -> str:
        """The page that lists its contacts."""
        return reverse("organisation", args=[self.pk])


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Memberships, filtered by time."""

    def current(self) -> MembershipQuerySet:
        """Those whose last day has not passed (UTC)."""
        today = datetime.now(tz=UTC).date()
        return self.filter(models.Q(until=None) | models.Q(until__gte=today))


class Membership(models.Model):
    """The role of an account in an organisation."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=Role)
    until = models.DateField(null=True, blank=True, help_text="The last day of access; empty: no end.")

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("organisation__name", "account__email")
        constraints = (
            models.UniqueConstraint(fields=["account", "organisation"], name="one_role_in_an_organisation"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="role_is_known"),
        )

    def __str__(self) -> str:
        """Who is what where."""
        return f"{self.account}, {self.get_role_display()} of {self.organisation}"


class Contact(models.Model):
    """A contact person at a customer: the personal data that all of this protects."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="contacts")
    name = models.CharField(max_length=120)
    position = models.CharField(max_length=120, blank=True)
    email = models.EmailField("e-mail address", blank=True)
    phone = models.CharField(
        "telephone",
        max_length=40,
        blank=True,
        validators=[RegexValidator(r"^\+?[0-9 ()/.-]+$", "Digits, blanks and + ( ) / . - only.")],
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        """The person's name."""
        return self.name

    def get_absolute_url(self) -> str:
        """The page of this person."""
        return reverse("contact", args=[self.pk])
