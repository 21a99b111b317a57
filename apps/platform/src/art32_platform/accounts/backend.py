"""Who may log in, and stay logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.backends import ModelBackend

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from art32_platform.accounts.models import Account

__all__ = ["Backend"]


class Backend(ModelBackend):
    """Django's, for accounts whose last day may have passed; asked again with every request."""

    def user_can_authenticate(self, user: Account | AnonymousUser | None) -> bool:
        """Whether the account is active and not past its last day."""
        return bool(getattr(user, "may_log_in", False))
