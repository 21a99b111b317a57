"""`platform-manage member`: make or change one account and its role in one organisation."""

from __future__ import annotations

import json
import sys
from argparse import BooleanOptionalAction
from datetime import date
from typing import TYPE_CHECKING, Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from art32_platform.accounts.links import ask_for, deliver_links
from art32_platform.accounts.models import Account, Purpose
from art32_platform.accounts.second_factor import forget
from art32_platform.accounts.sessions import end_others
from art32_platform.activity.attribution import acting_as
from art32_platform.customers.models import Membership, Organisation, Role

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["Command"]

FLAGS = {"active": "is_active", "staff": "is_staff", "administrator": "is_administrator"}
NO_ROLE = "none"


class Command(BaseCommand):
    """Brings an account to what the options say; what they do not name stays as it is. Prints JSON."""

    help = "Make or change an account and its role in an organisation; running it again changes nothing."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--email", required=True)
        parser.add_argument("--name")
        parser.add_argument("--role", choices=[*(role.label for role in Role), NO_ROLE])
        parser.add_argument("--organisation", help="name of the organisation in which the account has the role")
        parser.add_argument(
            "--until", type=date.fromisoformat, help="last day of the role; the provider's staff need one"
        )
        parser.add_argument("--invite", action="store_true", help="have a link mailed if there is no password yet")
        parser.add_argument("--reset-second-factor", action="store_true", help="forget a lost authenticator")
        for flag in FLAGS:
            parser.add_argument(f"--{flag}", action=BooleanOptionalAction)
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Do it in one transaction.

        Raises CommandError when an option is impossible; nothing is changed then.
        """
        if bool(options["role"]) != bool(options["organisation"]):
            raise CommandError("--role and --organisation belong together.")
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else None
        try:
            with transaction.atomic(), acting_as("platform-manage member"):
                changes = _bring_about(options, password)
        except ValidationError as error:
            raise CommandError(f"{options['email']}: {' '.join(error.messages)}") from error
        if "invitation" in changes:
            deliver_links()
        email = options["email"].strip().lower()
        self.stdout.write(json.dumps({"email": email, "changed": bool(changes), "changes": changes}))


def _bring_about(options: dict[str, Any], password: str | None) -> list[str]:
    email = options["email"].strip().lower()
    account = Account.objects.filter(email=email).first()
    changes = [] if account else ["account"]
    if account is None:
        account = Account(email=email)
        account.set_unusable_password()
    changes += _set_fields(account, options)
    changes += _set_password(account, password)
    if changes:
        account.full_clean()
        account.save()
    if options["role"]:
        changes += _set_role(account, options["organisation"], options["role"], options["until"])
    if options["invite"] and not account.has_usable_password():
        changes += ["invitation"] if ask_for(account, Purpose.INVITATION, by="platform-manage member") else []
    if options["reset_second_factor"] and forget(account):
        end_others(account, None)
        changes.append("second factor")
    return changes


def _set_fields(account: Account, options: dict[str, Any]) -> list[str]:
    wanted = {field: options[option] for option, field in FLAGS.items() if options[option] is not None}
    if options["name"] is not None:
        wanted["name"] = options["name"]
    if wanted.get("is_administrator"):
        wanted.setdefault("is_staff", True)
    differing = [field for field, value in wanted.items() if getattr(account, field) != value]
    for field in differing:
        setattr(account, field, wanted[field])
    return differing


def _set_password(account: Account, password: str | None) -> list[str]:
    if password is None or account.check_password(password):
        return []
    validate_password(password, account)
    account.set_password(password)
    return ["password"]


def _set_role(account: Account, name: str, label: str, until: date | None) -> list[str]:
    organisation = Organisation.objects.filter(name=name).first()
    if organisation is None:
        raise CommandError(f"There is no organisation {name!r} (make it: platform-manage organisation --name ...).")
    memberships = Membership.objects.filter(account=account, organisation=organisation)
    if label == NO_ROLE:
        return ["role"] if memberships.delete()[0] else []
    role = next(role for role in Role if role.label == label)
    membership = memberships.first() or Membership(account=account, organisation=organisation)
    if (membership.role, membership.until) == (role, until):
        return []
    membership.role, membership.until = role, until
    membership.full_clean()
    membership.save()
    return ["role"]
