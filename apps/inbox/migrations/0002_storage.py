"""What Django's models cannot say about the table of bodies."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("inbox", "0001_initial")]

    operations = [
        # Payloads are as small as they get; letting PostgreSQL compress them again only costs time.
        migrations.RunSQL(
            "ALTER TABLE inbox_body ALTER COLUMN payload SET STORAGE EXTERNAL",
            "ALTER TABLE inbox_body ALTER COLUMN payload SET STORAGE EXTENDED",
        ),
    ]
