"""How reports write numbers: the digits people read, a true minus sign, and a dash for nothing."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

NOTHING = "–"


def amount(value: float | None) -> str:
    """An energy or power: two decimals up to ten, one up to a thousand, none above."""
    if value is None:
        return NOTHING
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}".replace("-", "−")


def per_cent(fraction: float | None) -> str:
    """A fraction as whole per cent; what is nearly all is cut after a decimal, not called all."""
    if fraction is None:
        return NOTHING
    value = 100 * fraction
    text = f"{math.floor(value * 10) / 10:.1f}" if 99 <= value < 100 else f"{value:.0f}"
    return f"{text} %".replace("-", "−")


def change(value: float | None, before: float | None) -> str:
    """How much more or less than before, in per cent; nothing where one is unknown or before was nothing."""
    if value is None or before is None or abs(before) < 0.005:
        return ""
    percent = 100 * (value - before) / abs(before)
    sign = "+" if percent > 0 else "−" if percent < 0 else "±"
    return f"{sign}{abs(percent):.0f} %"


def duration(milliseconds: float | None) -> str:
    """Hours and minutes, such as 1 h 05 min."""
    if milliseconds is None:
        return NOTHING
    hours, minutes = divmod(round(milliseconds / 60_000), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def moment(stamp: int, zone: str) -> str:
    """A local time such as Tue 24 Nov, 12:40."""
    local = datetime.fromtimestamp(stamp / 1000, ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def bin_name(start: int, every: str, zone: str) -> str:
    """What a bin is called: its hour, day, week or month."""
    local = datetime.fromtimestamp(start / 1000, ZoneInfo(zone))
    if every == "1mo":
        return f"{local:%b %Y}"
    if every == "1w":
        return f"Week of {local.day} {local:%b %Y}"
    if every == "1d":
        return f"{local:%a} {local.day} {local:%b %Y}"
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def tick(start: int, every: str, zone: str) -> str:
    """The same, short enough for an axis."""
    local = datetime.fromtimestamp(start / 1000, ZoneInfo(zone))
    if every == "1mo":
        return f"{local:%b}<br>{local.year}"
    if every in ("1w", "1d"):
        return f"{local.day} {local:%b}"
    return f"{local:%H:%M}"
