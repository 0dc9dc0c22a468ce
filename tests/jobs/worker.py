"""The Celery application with the kinds of the tests: `celery -A tests.jobs.worker worker`."""

import django

from config.celery import app

django.setup()

from tests.jobs import kinds  # noqa: E402

__all__ = ["app", "kinds"]
