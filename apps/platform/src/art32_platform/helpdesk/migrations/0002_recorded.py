from django.db import migrations

from art32_platform.activity.operations import record


class Migration(migrations.Migration):
    dependencies = [("helpdesk", "0001_initial"), ("activity", "0002_append_only")]
    operations = [
        record("helpdesk_helprequest", kind="helpdesk.helprequest", ignore=("mailed_at",)),
    ]
