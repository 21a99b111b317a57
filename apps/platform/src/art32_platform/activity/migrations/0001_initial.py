from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "at",
                    models.DateTimeField(
                        db_default=models.Func(function="clock_timestamp"), db_index=True, help_text="UTC"
                    ),
                ),
                (
                    "account",
                    models.CharField(blank=True, help_text="The e-mail address of who did it.", max_length=254),
                ),
                ("origin", models.GenericIPAddressField(help_text="The address it was done from.", null=True)),
                (
                    "database_role",
                    models.CharField(db_default="", help_text="Who was logged in to the database.", max_length=63),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("insert", "Insert"),
                            ("change", "Change"),
                            ("removal", "Removal"),
                            ("login", "Login"),
                            ("logout", "Logout"),
                            ("login failed", "Login Failed"),
                            ("refused", "Refused"),
                        ],
                        max_length=20,
                    ),
                ),
                ("kind", models.CharField(blank=True, help_text="The kind of record.", max_length=60)),
                ("record", models.CharField(blank=True, help_text="The record's key.", max_length=64)),
                (
                    "entity",
                    models.UUIDField(
                        db_index=True, help_text="The organisation that the record belongs to.", null=True
                    ),
                ),
                (
                    "detail",
                    models.JSONField(default=dict, help_text="Names of changed fields; method and path of a request."),
                ),
            ],
            options={
                "verbose_name_plural": "activity",
                "ordering": ("-id",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "action__in",
                                ["insert", "change", "removal", "login", "logout", "login failed", "refused"],
                            )
                        ),
                        name="action_is_known",
                    )
                ],
            },
        ),
    ]
