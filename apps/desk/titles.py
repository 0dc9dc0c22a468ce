"""What lists of things are called, in the sidebar and on top of their pages."""

from __future__ import annotations

from django.db.models import Model
from django.utils.text import capfirst

# Where a library's name for a thing says little.
TITLES = {
    "knox.authtoken": "API tokens",
    "axes.accessattempt": "Failed log-ins",
    "axes.accesslog": "Log-ins",
    "django_celery_beat.periodictask": "Scheduled tasks",
}


def title_of(model: type[Model]) -> str:
    """What a list of `model` is called."""
    return TITLES.get(model._meta.label_lower) or capfirst(str(model._meta.verbose_name_plural))
