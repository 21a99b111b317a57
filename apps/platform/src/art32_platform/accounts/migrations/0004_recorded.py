from django.db import migrations

from art32_platform.activity.operations import record

# What a device notes about each code is no change of it.
COUNTERS = ("last_t", "drift", "throttling_failure_timestamp", "throttling_failure_count", "last_used_at")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_links_and_sessions"),
        ("activity", "0004_chained"),
        ("otp_totp", "0003_add_timestamps"),
    ]
    operations = [
        record("accounts_link", kind="accounts.link"),
        record("otp_totp_totpdevice", kind="accounts.second_factor", ignore=COUNTERS),
    ]
