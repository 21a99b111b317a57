"""Organisations, memberships and contact persons."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

if TYPE_CHECKING:
    from art32_platform.accounts.models import Account

__all__ = ["Contact", "Membership", "Organisation", "Role", "Training", "staff_problem"]

YEAR = timedelta(days=365)


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
        """Those whose last day has not passed (UTC); the provider's staff need to have one, and soon."""
        today = datetime.now(tz=UTC).date()
        latest = today + timedelta(days=settings.PLATFORM_STAFF_ACCESS_DAYS)
        members = models.Q(account__is_staff=False) & (models.Q(until=None) | models.Q(until__gte=today))
        return self.filter(members | models.Q(until__range=(today, latest)))


class Membership(models.Model):
    """The role of an account in an organisation."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=Role)
    until = models.DateField(
        "last day",
        null=True,
        blank=True,
        help_text="The last day of access. Empty: no end, which the provider's staff cannot have.",
    )

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

    def clean(self) -> None:
        """Give staff no access without an end."""
        super().clean()
        problem = staff_problem(self.account, self.until) if self.account_id else ""
        if problem:
            raise ValidationError({"until": problem})


def staff_problem(account: Account, until: date | None) -> str:
    """Why an account cannot have access until this day; empty when it can."""
    days = settings.PLATFORM_STAFF_ACCESS_DAYS
    latest = datetime.now(tz=UTC).date() + timedelta(days=days)
    if account.is_staff and (until is None or until > latest):
        return f"Access of the provider's staff ends: the last day may be {latest} or earlier ({days} days)."
    return ""


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
    is_primary = models.BooleanField(
        "primary contact",
        default=False,
        db_default=False,
        help_text="Instructs the provider, and is trained for that.",
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


class Training(models.Model):
    """That a contact person was trained, and when that is due again."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="trainings")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="trainings")
    topic = models.CharField(max_length=120)
    trained_on = models.DateField("day of the training")
    due_on = models.DateField("due again", blank=True, help_text="Empty: a year later.")
    entered_by = models.CharField(max_length=254, editable=False)

    class Meta:
        ordering = ("-trained_on", "-id")
        constraints = (
            models.CheckConstraint(condition=models.Q(due_on__gt=models.F("trained_on")), name="due_after_training"),
        )

    def __str__(self) -> str:
        """What and when."""
        return f"{self.topic}, {self.trained_on}"

    def clean(self) -> None:
        """Refuse a training that has not been, and set when it is due again."""
        super().clean()
        if self.trained_on and self.trained_on > datetime.now(tz=UTC).date():
            raise ValidationError({"trained_on": "That day has not come yet."})
        if self.trained_on and not self.due_on:
            self.due_on = self.trained_on + YEAR
        if self.trained_on and self.due_on <= self.trained_on:
            raise ValidationError({"due_on": "This has to be after the day of the training."})

    @property
    def is_overdue(self) -> bool:
        """Whether it is due again, and that day has passed (UTC)."""
        return self.due_on < datetime.now(tz=UTC).date()
