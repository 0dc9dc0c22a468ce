"""The Celery application with the tests' parser: `celery -A tests.inbox.worker worker`."""

import django

from config.celery import app

django.setup()

from tests.inbox import lines  # noqa: E402

__all__ = ["app", "lines"]
