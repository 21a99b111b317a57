"""Authenticators' keys are sealed, and backup codes stand in for them."""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from art32_platform.accounts.sealing import is_sealed, sealed
from art32_platform.activity.operations import record


def seal(apps: Any, _: Any) -> None:  # noqa: ANN401 - Django's historical registry
    """Seal the keys of before; without a key to seal with, each is sealed when it is used."""
    if not (settings.PLATFORM_DATA_KEY or settings.SECRET_KEY):
        return
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.all():
        if not is_sealed(device.key):
            device.key = sealed(bytes.fromhex(device.key), about=f"authenticator of {device.user_id}")
            device.save(update_fields=["key"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_recorded"),
        ("otp_totp", "0003_add_timestamps"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authenticator",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("otp_totp.totpdevice",),
        ),
        migrations.CreateModel(
            name="BackupCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "digest",
                    models.CharField(help_text="SHA-256 of the code.", max_length=64, unique=True),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                    ),
                ),
                ("used_at", models.DateTimeField(editable=False, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="backup_codes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        record("accounts_backupcode", kind="accounts.backup_code"),
        migrations.RunPython(seal, migrations.RunPython.noop),
    ]
