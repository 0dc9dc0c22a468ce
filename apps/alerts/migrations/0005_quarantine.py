"""Counters in quarantine are a kind of alert."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0004_mail_every_quarter"),
    ]

    operations = [
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("warning", "Device warning"),
                    ("silent", "Silent source"),
                    ("stuck", "Stuck value"),
                    ("offline", "Agent offline"),
                    ("spool", "Spool nearly full"),
                    ("clock", "Clock offset"),
                    ("refused", "Refused data"),
                    ("quarantine", "Counter in quarantine"),
                ],
                editable=False,
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="suspicion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("warning", "Device warning"),
                    ("silent", "Silent source"),
                    ("stuck", "Stuck value"),
                    ("offline", "Agent offline"),
                    ("spool", "Spool nearly full"),
                    ("clock", "Clock offset"),
                    ("refused", "Refused data"),
                    ("quarantine", "Counter in quarantine"),
                ],
                max_length=16,
            ),
        ),
    ]
