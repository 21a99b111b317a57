from django.db import migrations

from art32_platform.activity.operations import record


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("activity", "0002_append_only")]
    operations = [
        record("customers_organisation", kind="customers.organisation", entity="id"),
        record("customers_membership", kind="customers.membership", entity="organisation_id"),
        record("customers_contact", kind="customers.contact", entity="organisation_id", ignore=("changed_at",)),
    ]
