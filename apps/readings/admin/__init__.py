"""The admin's pages of sources, series, and what is in quarantine."""

from apps.readings.admin import counters, sources

__all__ = ["counters", "sources"]
