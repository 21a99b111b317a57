import django.core.validators
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "email",
                    models.EmailField(
                        max_length=254,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[!-?A-~]+@[!-?A-~]+\\.[!-?A-~]+$", "An e-mail address of printable ASCII characters."
                            )
                        ],
                        verbose_name="e-mail address",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=120)),
                (
                    "is_active",
                    models.BooleanField(
                        default=True, help_text="Whoever leaves is made inactive at once.", verbose_name="active"
                    ),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False, help_text="May enter the administration.", verbose_name="provider staff"
                    ),
                ),
                (
                    "is_administrator",
                    models.BooleanField(
                        default=False,
                        help_text="Keeps accounts, organisations and memberships; sees no contacts without a membership.",
                        verbose_name="administrator",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "ordering": ("email",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="email_in_lower_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("email__regex", "^[!-?A-~]+@[!-?A-~]+\\.[!-?A-~]+$")),
                        name="email_printable",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_administrator", False), ("is_staff", True), _connector="OR"),
                        name="administrators_are_staff",
                    ),
                ],
            },
        ),
    ]
