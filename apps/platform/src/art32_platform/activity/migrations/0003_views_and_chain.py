from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("activity", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="Chained",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("activity_id", models.BigIntegerField(unique=True)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "db_table": "activity_link",
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="activity",
            name="action_is_known",
        ),
        migrations.AlterField(
            model_name="activity",
            name="action",
            field=models.CharField(
                choices=[
                    ("insert", "Insert"),
                    ("change", "Change"),
                    ("removal", "Removal"),
                    ("login", "Login"),
                    ("logout", "Logout"),
                    ("login failed", "Login Failed"),
                    ("refused", "Refused"),
                    ("view", "View"),
                    ("export", "Export"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="activity",
            index=models.Index(fields=["account", "action", "at"], name="activity_of_account"),
        ),
        migrations.AddConstraint(
            model_name="activity",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "action__in",
                        [
                            "insert",
                            "change",
                            "removal",
                            "login",
                            "logout",
                            "login failed",
                            "refused",
                            "view",
                            "export",
                        ],
                    )
                ),
                name="action_is_known",
            ),
        ),
    ]
