"""What things and lists of them are called, in the sidebar, on top of their pages and under them."""

from __future__ import annotations

from django.db.models import Model
from django.utils.text import capfirst

# Where a library's name for a thing says little.
NAMES = {
    "knox.authtoken": ("API token", "API tokens"),
    "axes.accessattempt": ("failed log-in", "failed log-ins"),
    "axes.accesslog": ("log-in", "log-ins"),
    "django_celery_beat.periodictask": ("scheduled task", "scheduled tasks"),
}


def name_of(model: type[Model], count: int = 1) -> str:
    """What so many of `model` are called within a sentence."""
    own = str(model._meta.verbose_name), str(model._meta.verbose_name_plural)
    return NAMES.get(model._meta.label_lower, own)[count != 1]


def title_of(model: type[Model]) -> str:
    """What a list of `model` is called."""
    return capfirst(name_of(model, 2))
