"""Accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now

from art32_platform.access import rules

if TYPE_CHECKING:
    from django.db.models import Model

__all__ = ["EMAIL", "Account", "AccountManager"]

# Printable ASCII without blanks: the address is also a header and a field of the access log.
EMAIL = r"^[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+$"


class AccountManager(BaseUserManager["Account"]):
    """Finds accounts by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> Account:
        """The account with this e-mail address."""
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: object) -> Account:
        """Make an account; without a password nobody can log in to it."""
        account = self.model(email=email.strip().lower(), **fields)
        account.set_password(password)
        account.save(using=self._db)
        return account


class Account(AbstractBaseUser):
    """Somebody who logs in. What they may do is asked of the permission layer, here and in every view."""

    email = models.EmailField(
        "e-mail address",
        unique=True,
        validators=[RegexValidator(EMAIL, "An e-mail address of printable ASCII characters.")],
    )
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField("active", default=True, help_text="Whoever leaves is made inactive at once.")
    is_staff = models.BooleanField("provider staff", default=False, help_text="May enter the administration.")
    is_administrator = models.BooleanField(
        "administrator",
        default=False,
        help_text="Keeps accounts, organisations and memberships; sees no contacts without a membership.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[AccountManager] = AccountManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("email",)
        constraints = (
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="email_in_lower_case"),
            models.CheckConstraint(condition=models.Q(email__regex=EMAIL), name="email_printable"),
            models.CheckConstraint(
                condition=models.Q(is_administrator=False) | models.Q(is_staff=True),
                name="administrators_are_staff",
            ),
        )

    def __str__(self) -> str:
        """The name, or the address of somebody without one."""
        return self.name or self.email

    def clean(self) -> None:
        """Keep the address in lower case, as it is looked up."""
        super().clean()
        self.email = self.email.strip().lower()

    def has_perm(self, permission: str, record: Model | None = None) -> bool:
        """Django's question, as its admin asks it; answered by the permission layer."""
        return rules.may(self, permission, record)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether any permission of an application is held."""
        return any(rules.may(self, name) for name in rules.RULES if name.startswith(f"{app_label}."))
