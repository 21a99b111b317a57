"""The tables, and that activity can only be added to."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

APPEND_ONLY = """
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT pg_get_userbyid(acl.grantee)
        FROM pg_class, aclexplode(relacl) AS acl
        WHERE pg_class.oid = 'django_example_activity'::regclass AND acl.grantee NOT IN (0, relowner)
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON django_example_activity FROM %I', grantee);
    END LOOP;
END $$;
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'activity can only be added to'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON django_example_activity
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
ALTER TABLE django_example_activity ENABLE ALWAYS TRIGGER append_only;
"""
NUMBER = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            "Note",
            [
                NUMBER,
                ("content", models.TextField()),
                ("member", models.ForeignKey(settings.AUTH_USER_MODEL, django.db.models.deletion.CASCADE)),
            ],
        ),
        migrations.CreateModel(
            "Help",
            [
                NUMBER,
                ("at", models.DateTimeField(auto_now_add=True)),
                ("email", models.EmailField(max_length=254)),
                ("content", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            "Activity",
            [
                NUMBER,
                ("at", models.DateTimeField(auto_now_add=True)),
                ("who", models.TextField()),
                ("what", models.TextField()),
                ("target", models.TextField()),
            ],
        ),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
    ]
