"""The Celery application: one worker pool, one beat, Redis between them."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# It warns of root because of pickled messages; ours are JSON.
warnings.simplefilter("ignore", SecurityWarning)

app = Celery("wattdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
