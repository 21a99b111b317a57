import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_recorded"),
    ]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="is_primary",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Instructs the provider, and is trained for that.",
                verbose_name="primary contact",
            ),
        ),
        migrations.AlterField(
            model_name="membership",
            name="until",
            field=models.DateField(
                blank=True,
                help_text="The last day of access. Empty: no end, which the provider's staff cannot have.",
                null=True,
                verbose_name="last day",
            ),
        ),
        migrations.CreateModel(
            name="Training",
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
                ("topic", models.CharField(max_length=120)),
                ("trained_on", models.DateField(verbose_name="day of the training")),
                (
                    "due_on",
                    models.DateField(
                        blank=True,
                        help_text="Empty: a year later.",
                        verbose_name="due again",
                    ),
                ),
                ("entered_by", models.CharField(editable=False, max_length=254)),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trainings",
                        to="customers.contact",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to="customers.organisation",
                    ),
                ),
            ],
            options={
                "ordering": ("-trained_on", "-id"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("due_on__gt", models.F("trained_on"))),
                        name="due_after_training",
                    )
                ],
            },
        ),
    ]
