"""A report's numbers as rows: for its page's table, which is what the chart shows, and for its CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from apps.analytics.reports import words
from apps.analytics.reports.report import Report


@dataclass(frozen=True)
class Row:
    """A bin for people: its name and its numbers in the order of `columns`."""

    start: int
    name: str
    cells: list[str]


def columns(report: Report) -> list[str]:
    """What the numbers of a row are."""
    lines = [f"{report.line.name} ({report.line.unit})"] if report.line else []
    return [*(f"{trace.bar.energy} (kWh)" for trace in report.traces), *lines, "Coverage"]


def rows(report: Report) -> list[Row]:
    """The bins that have begun, the newest first."""
    found = [
        Row(start, words.bin_name(start, report.every, report.zone), _cells(report, place))
        for place, start in _begun(report)
    ]
    return found[::-1]


def as_csv(report: Report) -> str:
    """Each bin that has begun as a line: local start with its offset, Unix ms, and the numbers in full.

    Of what is missing the field is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    energies = [f"{trace.bar.item}_kWh" for trace in report.traces]
    lines = [report.line.column] if report.line else []
    writer.writerow(["start", "timestamp_ms", *energies, *lines, "coverage"])
    for place, start in _begun(report):
        local = datetime.fromtimestamp(start / 1000, ZoneInfo(report.zone)).isoformat()
        writer.writerow([local, start, *map(_number, _values(report, place))])
    return out.getvalue()


def _begun(report: Report) -> Iterator[tuple[int, int]]:
    return ((place, start) for place, start in enumerate(report.starts) if start < report.period.until)


def _values(report: Report, place: int) -> list[float]:
    lines = [report.line.values] if report.line else []
    every = [*(trace.values for trace in report.traces), *lines, report.coverage]
    return [float(values[place]) for values in every]


def _cells(report: Report, place: int) -> list[str]:
    *values, coverage = _values(report, place)
    known = [None if math.isnan(value) else value for value in values]
    return [*map(words.amount, known), words.per_cent(coverage)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
