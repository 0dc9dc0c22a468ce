"""What Django's models cannot say about the tables of the store."""

from django.db import migrations

TABLES = ["latest", "tail", "clock", "segment"]

# A house with years of data goes away with its source rows, in the database, not row by row in Python.
CASCADES = [
    migrations.RunSQL(
        f"ALTER TABLE readings_{table} ADD CONSTRAINT readings_{table}_source_fk"
        " FOREIGN KEY (source_id) REFERENCES readings_source (id) ON DELETE CASCADE",
        f"ALTER TABLE readings_{table} DROP CONSTRAINT readings_{table}_source_fk",
    )
    for table in TABLES
]

# Payloads are compressed already; letting PostgreSQL try again only costs time.
EXTERNAL = [
    migrations.RunSQL(
        f"ALTER TABLE readings_{table} ALTER COLUMN payload SET STORAGE EXTERNAL",
        f"ALTER TABLE readings_{table} ALTER COLUMN payload SET STORAGE EXTENDED",
    )
    for table in ["tail", "clock", "segment"]
]


class Migration(migrations.Migration):
    dependencies = [("readings", "0001_initial")]

    operations = [
        *CASCADES,
        *EXTERNAL,
        migrations.RunSQL(
            "ALTER TABLE readings_tail ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE readings_tail ALTER COLUMN id DROP IDENTITY",
        ),
        # Rows live for minutes: without frequent vacuuming every read would walk over the dead ones.
        migrations.RunSQL(
            "ALTER TABLE readings_tail SET (autovacuum_vacuum_scale_factor = 0.02,"
            " autovacuum_vacuum_threshold = 200, toast.autovacuum_vacuum_scale_factor = 0.02)",
            "ALTER TABLE readings_tail RESET (autovacuum_vacuum_scale_factor,"
            " autovacuum_vacuum_threshold, toast.autovacuum_vacuum_scale_factor)",
        ),
        # Every upload updates its row: half a page free keeps the new version beside the old one.
        migrations.RunSQL(
            "ALTER TABLE readings_latest SET (fillfactor = 50)",
            "ALTER TABLE readings_latest RESET (fillfactor)",
        ),
    ]
