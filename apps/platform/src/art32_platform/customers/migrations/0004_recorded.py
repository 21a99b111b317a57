from django.db import migrations

from art32_platform.activity.operations import record


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_primary_contacts_and_training"), ("activity", "0002_append_only")]
    operations = [record("customers_training", kind="customers.training", entity="organisation_id")]
