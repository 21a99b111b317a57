"""Accounts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django_otp.plugins.otp_totp.models import TOTPDevice

from art32_platform.access import rules
from art32_platform.accounts import sealing

if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore
    from django.db.models import Model

__all__ = ["EMAIL", "Account", "AccountManager", "Authenticator", "BackupCode", "Link", "Purpose", "Session"]

log = logging.getLogger(__name__)

# Printable ASCII without blanks: the address is also a header and a field of the access log.
EMAIL = r"^[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+$"

# Signs in a browser's User-Agent; the first that is there counts, for most of them claim to be each other.
PROGRAMS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


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
    until = models.DateField(null=True, blank=True, help_text="The last day of access; empty: no end.")
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

    @property
    def may_log_in(self) -> bool:
        """Whether the account is active and its last day has not passed (UTC)."""
        return self.is_active and (self.until is None or self.until >= datetime.now(tz=UTC).date())

    @property
    def needs_second_factor(self) -> bool:
        """Whether the platform's rule asks this account for a code besides the password."""
        return {
            "administrators": self.is_administrator,
            "staff": self.is_staff,
            "everybody": True,
        }[settings.PLATFORM_SECOND_FACTOR]

    def has_perm(self, permission: str, record: Model | None = None) -> bool:
        """Django's question, as its admin asks it; answered by the permission layer."""
        return rules.may(self, permission, record)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether any permission of an application is held."""
        return any(rules.may(self, name) for name in rules.RULES if name.startswith(f"{app_label}."))


class Purpose(models.TextChoices):
    """What a link is for."""

    INVITATION = "invitation"
    RESET = "reset"


class Link(models.Model):
    """A link that was, or is to be, mailed to an account, to choose a password.

    Kept as a hash: who reads the database cannot use it. Without a hash it waits to be mailed (`platform-manage
    deliver`), so whoever asks for it, a person or the module platform_member, never gets to see it.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="links")
    purpose = models.CharField(max_length=10, choices=Purpose)
    digest = models.CharField(
        max_length=64, blank=True, db_default="", db_index=True, help_text="SHA-256 of the token."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=254, blank=True, db_default="")
    mailed_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        constraints = (models.CheckConstraint(condition=models.Q(purpose__in=Purpose.values), name="purpose_is_known"),)

    def __str__(self) -> str:
        """For whom and what for."""
        return f"{self.get_purpose_display()} of {self.account_id}"


class Authenticator(TOTPDevice):
    """django-otp's device, whose key the database holds sealed. A key from before that is sealed when it is used."""

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """The key.

        Raises SealError when nothing opens it.
        """
        if sealing.is_sealed(self.key):
            return sealing.opened(self.key, about=self.about(self.user_id))
        return bytes.fromhex(self.key)

    def verify_token(self, token: str) -> bool:
        """Whether this is a code of now that was not used before."""
        try:
            key = self.bin_key
        except sealing.SealError as error:
            log.error("The authenticator of account %s cannot be used: %s", self.user_id, error)  # noqa: TRY400 - no bug
            return False
        if not super().verify_token(token):  # type: ignore[no-untyped-call] # of django-otp
            return False
        if not sealing.is_sealed(self.key):
            self.key = sealing.sealed(key, about=self.about(self.user_id))
            self.save(update_fields=["key"])
        return True

    @staticmethod
    def about(account: int) -> str:
        """What a sealed key is about."""
        return f"authenticator of {account}"


class BackupCode(models.Model):
    """A code that stands in for a lost authenticator, once. 120 random bits, so a plain hash of it tells nothing."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="backup_codes")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the code.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        """Whose it is."""
        return f"Backup code of {self.account_id}"


class Session(AbstractBaseSession):
    """A browser's session, with what its owner needs to recognise it."""

    account = models.ForeignKey(Account, models.CASCADE, null=True, related_name="sessions")
    started_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    origin = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)

    objects: ClassVar[BaseSessionManager] = BaseSessionManager()

    class Meta(AbstractBaseSession.Meta):
        ordering = ("-seen_at",)

    @property
    def browser(self) -> str:
        """What the owner recognises: `Firefox on Windows`; as the browser says, which need not be true."""
        program = next((name for sign, name in PROGRAMS.items() if sign in self.agent), "A browser")
        system = next((name for sign, name in SYSTEMS.items() if sign in self.agent), "an unknown system")
        return f"{program} on {system}"

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        """The store that reads and writes these rows."""
        from art32_platform.accounts.sessions import SessionStore  # noqa: PLC0415 - the store needs the model

        return SessionStore
