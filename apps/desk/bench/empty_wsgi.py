"""The site with an empty page for gunicorn: one process, and one set of settings, answers both."""

from __future__ import annotations

from django.conf import settings

from config.wsgi import application

__all__ = ["application"]

settings.ROOT_URLCONF = "apps.desk.bench.empty"
