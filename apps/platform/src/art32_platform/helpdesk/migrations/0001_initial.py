import django.db.models.functions.datetime
from django.db import migrations, models

import art32_platform.helpdesk.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="HelpRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reference",
                    models.CharField(
                        default=art32_platform.helpdesk.models.new_reference, editable=False, max_length=8, unique=True
                    ),
                ),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "account",
                    models.CharField(blank=True, editable=False, help_text="Who was logged in.", max_length=254),
                ),
                (
                    "email",
                    models.EmailField(
                        help_text="The answer goes there.", max_length=254, verbose_name="your e-mail address"
                    ),
                ),
                ("message", models.TextField(max_length=4000, verbose_name="how can we help?")),
                ("page", models.CharField(blank=True, max_length=200)),
                ("origin", models.GenericIPAddressField(editable=False, null=True)),
                (
                    "mailed_at",
                    models.DateTimeField(editable=False, help_text="When the team's mail server took it.", null=True),
                ),
                ("answered", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name": "request for help",
                "verbose_name_plural": "requests for help",
                "ordering": ("-id",),
            },
        ),
    ]
