"""The admin's pages of sources and series, what is in quarantine, and what is dropped."""

from apps.readings.admin import counters, sources

__all__ = ["counters", "sources"]
