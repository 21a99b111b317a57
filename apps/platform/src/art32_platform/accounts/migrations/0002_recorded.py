from django.db import migrations

from art32_platform.activity.operations import record


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("activity", "0002_append_only")]
    operations = [
        record("accounts_account", kind="accounts.account", ignore=("last_login",)),
    ]
