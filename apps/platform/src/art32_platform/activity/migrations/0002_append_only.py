from django.db import migrations

from art32_platform.activity.operations import install


class Migration(migrations.Migration):
    dependencies = [("activity", "0001_initial")]
    operations = [install("append_only"), install("record")]
