"""Accounts as an application."""

from django.apps import AppConfig

__all__ = ["AccountsConfig"]


class AccountsConfig(AppConfig):
    """Connects sessions with the logins that begin them."""

    name = "art32_platform.accounts"

    def ready(self) -> None:
        """Listen to logins."""
        from art32_platform.accounts import sessions  # noqa: PLC0415 - models are ready only now

        sessions.connect()
