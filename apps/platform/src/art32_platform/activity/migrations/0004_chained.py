from django.db import migrations

from art32_platform.activity.operations import install


class Migration(migrations.Migration):
    dependencies = [("activity", "0003_views_and_chain")]
    operations = [install("chain")]
