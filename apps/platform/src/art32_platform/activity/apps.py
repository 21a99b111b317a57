"""The activity log as an application."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

__all__ = ["ActivityConfig"]


class ActivityConfig(AppConfig):
    """Connects the log with what it is to notice."""

    name = "art32_platform.activity"
    verbose_name = "Activity log"

    def ready(self) -> None:
        """Listen to logins, and take privileges away after every migration."""
        from art32_platform.activity import privileges, recording  # noqa: PLC0415 - models are ready only now

        recording.connect()
        post_migrate.connect(privileges.revoke_after_migration, sender=self)
