"""Stamps in words, the same in lists, on pages and in messages."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(stamp: int) -> str:
    """A stamp in Unix ms, such as “2026-03-10 00:00:00 UTC”."""
    try:
        return f"{datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError):  # beyond the calendar
        return f"{stamp} ms"
