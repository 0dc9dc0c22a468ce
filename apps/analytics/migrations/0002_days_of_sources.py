"""The days of an item go with its source, in the database, as the readings do."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_items")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE analytics_itemday ADD CONSTRAINT analytics_itemday_source_fk"
            " FOREIGN KEY (source_id) REFERENCES readings_source (id) ON DELETE CASCADE",
            "ALTER TABLE analytics_itemday DROP CONSTRAINT analytics_itemday_source_fk",
        )
    ]
