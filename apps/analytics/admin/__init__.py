"""Analytics items in the admin."""

from apps.analytics.admin import items

__all__ = ["items"]
