"""The Celery application: one worker pool, one beat, Redis between them."""

import os
import signal
import warnings

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_process_init

from config.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# It warns of root because of pickled messages; ours are JSON.
warnings.simplefilter("ignore", SecurityWarning)

app = Celery("wattdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_die_with_worker = die_with_parent(signal.SIGKILL)  # made in the worker, before it forks its pool


@worker_process_init.connect
def end_with_the_worker(**_: object) -> None:
    """Keep no process of the pool when its worker was killed: tasks are given to another one."""
    _die_with_worker()
