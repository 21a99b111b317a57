"""The activity log's one table."""

from __future__ import annotations

from django.db import models
from django.db.models import Func

__all__ = ["Action", "Activity", "Chained"]


class Action(models.TextChoices):
    """What can happen."""

    INSERT = "insert"
    CHANGE = "change"
    REMOVAL = "removal"
    LOGIN = "login"
    LOGOUT = "logout"
    LOGIN_FAILED = "login failed"
    REFUSED = "refused"
    VIEW = "view"
    EXPORT = "export"


class Activity(models.Model):
    """One thing that somebody did.

    Rows name records and fields, never values: personal data can be erased, this log cannot. Changes of data are
    written by triggers in the database itself (sql/record.sql), so no code path, and no hand, gets around it; the
    rest by recording.py. No foreign keys: the log outlives what it tells of.
    """

    at = models.DateTimeField(db_default=Func(function="clock_timestamp"), db_index=True, help_text="UTC")
    account = models.CharField(max_length=254, blank=True, help_text="The e-mail address of who did it.")
    origin = models.GenericIPAddressField(null=True, help_text="The address it was done from.")
    database_role = models.CharField(max_length=63, db_default="", help_text="Who was logged in to the database.")
    action = models.CharField(max_length=20, choices=Action)
    kind = models.CharField(max_length=60, blank=True, help_text="The kind of record.")
    record = models.CharField(max_length=64, blank=True, help_text="The record's key.")
    entity = models.UUIDField(null=True, db_index=True, help_text="The organisation that the record belongs to.")
    detail = models.JSONField(default=dict, help_text="Names of changed fields; method and path of a request.")

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "activity"
        constraints = (models.CheckConstraint(condition=models.Q(action__in=Action.values), name="action_is_known"),)
        indexes = (models.Index(fields=("account", "action", "at"), name="activity_of_account"),)

    def __str__(self) -> str:
        """When and what."""
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.kind}".rstrip()


class Chained(models.Model):
    """A link of the chain over the log (sql/chain.sql); the database alone writes it."""

    number = models.BigIntegerField(primary_key=True)
    activity_id = models.BigIntegerField(unique=True)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "activity_link"
        default_permissions = ()

    def __str__(self) -> str:
        """Its number."""
        return str(self.number)
