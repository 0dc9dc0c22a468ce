"""Answers as CSV, for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from django.http import HttpResponse

from apps.analytics.evaluation import Answer
from apps.houses.models import House
from apps.readings.csv_answers import local_time, number, table


def written(answer: Answer, house: House) -> HttpResponse:
    """A line for each value: its stamp (Unix ms), the time in the house, and of bins their coverage.

    What is missing is empty. An answer of one value has one line and no times.
    """
    titles, columns = zip(*_columns(answer, ZoneInfo(house.time_zone)), strict=True)
    return table(house, titles, zip(*columns, strict=True))


def _columns(answer: Answer, zone: ZoneInfo) -> Iterator[tuple[str, list[object]]]:
    """Titles and what stands under them."""
    if answer.stamps is not None:
        stamps = answer.stamps.tolist()
        yield "timestamp", stamps
        yield "time", [local_time(stamp, zone) for stamp in stamps]
    values = [answer.value] if answer.values is None else answer.values.tolist()
    yield f"value ({answer.unit})" if answer.unit else "value", list(map(number, values))
    if answer.coverage is not None:
        yield "coverage", list(map(number, answer.coverage.tolist()))
