"""The Celery application: one worker pool, one beat, Redis between them."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("wattdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
