"""Stamps of moments, and stamps in words, the same in lists, on pages and in messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


def milliseconds(moment: datetime) -> int:
    """An aware time in Unix ms, the stamp of that moment."""
    return round(moment.timestamp() * 1000)


@overload
def moment(stamp: int) -> str: ...
@overload
def moment(stamp: None) -> None: ...


def moment(stamp: int | None) -> str | None:
    """A stamp in Unix ms, such as “2026-03-10 00:00:00 UTC”; None where there is none."""
    if stamp is None:
        return None
    try:
        return f"{datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError):  # beyond the calendar
        return f"{stamp} ms"
