"""Loggers, meters and meter sets in the admin."""

from apps.meters.admin import sets

__all__ = ["sets"]
