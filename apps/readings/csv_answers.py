"""Series as CSV, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.http import HttpResponse

from apps.houses.models import House

if TYPE_CHECKING:
    from apps.readings.api import Points


def written(answer: Mapping[str, Points], house: House) -> HttpResponse:
    """A line for each stamp that any series has: Unix ms, the time in the house, and a column per series.

    Bins have a second column, their coverage. What is missing is empty.
    """
    columns = [column for name, points in answer.items() for column in _columns(name, points)]
    titles = ["timestamp", "time", *(title for title, _ in columns)]
    zone = ZoneInfo(house.time_zone)
    stamps = sorted({stamp for points in answer.values() for stamp in points["timestamps"]})
    rows = (
        [stamp, local_time(stamp, zone), *(number(column.get(stamp)) for _, column in columns)]
        for stamp in stamps
    )
    return table(house, titles, rows)


def table(house: House, titles: Iterable[str], rows: Iterable[Iterable[object]]) -> HttpResponse:
    """A file for spreadsheets, called after the house."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{house.name}.csv"'
    lines = csv.writer(response)
    lines.writerow(titles)
    lines.writerows(rows)
    return response


def number(value: float | None) -> str:
    """All its digits; nothing where it is missing."""
    return "" if value is None or isnan(value) else repr(value)


def local_time(stamp: int, zone: ZoneInfo) -> str:
    """Unix ms as the time in `zone`, with its offset."""
    return datetime.fromtimestamp(stamp / 1000, zone).isoformat(timespec="milliseconds")


def _columns(name: str, points: Points) -> list[tuple[str, dict[int, float]]]:
    """Titles and, by stamp, what stands under them."""
    stamps = points["timestamps"]
    title = f"{name} ({points['unit']})" if points["unit"] else name
    columns = [(title, dict(zip(stamps, points["values"], strict=True)))]
    if "coverage" in points:
        columns.append((f"{name} coverage", dict(zip(stamps, points["coverage"], strict=True))))
    return columns
