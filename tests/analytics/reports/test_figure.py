"""The chart and the table of a report show the same numbers."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from apps.analytics.reports import figure, table
from apps.analytics.reports.report import Report
from tests.analytics.reports.answers import Answers
from tests.analytics.reports.test_report import START, report, solar


@pytest.fixture
def gappy() -> Report:
    """Four days of sun; the second has no readings, the third half a day's."""
    hours = solar()
    hours[4 * 24 : 5 * 24] = [math.nan] * 24
    hours[5 * 24 : 5 * 24 + 12] = [math.nan] * 12
    return report("solar", Answers(START, {"solar": hours}))


def test_missing_bars_are_null_and_hatched(gappy: Report) -> None:
    bars, line, gaps = figure.figure(gappy)["data"]

    assert bars["y"] == [8, None, 4, 8]
    assert bars["marker"]["pattern"]["shape"] == ["", "/", "/", ""]
    assert gaps["x"] == gappy.starts[1:3]
    assert line["y"] == [8, 8, 12, 20]


def test_the_figure_is_json(gappy: Report) -> None:
    json.dumps(figure.figure(gappy), allow_nan=False)


def test_bars_fill_their_bins_and_do_not_overlap() -> None:
    powers = {"battery_charging": solar(), "battery_discharging": solar()}
    first, second, _ = figure.figure(report("battery", Answers(START, powers)))["data"]

    day = 86_400_000
    assert first["offset"][0] + first["width"][0] == pytest.approx(second["offset"][0])
    assert second["offset"][0] + second["width"][0] < day


def test_the_table_shows_the_newest_first_with_a_dash_for_what_is_missing(gappy: Report) -> None:
    assert table.columns(gappy) == ["Generated (kWh)", "Running total (kWh)", "Coverage"]
    assert [row.cells for row in table.rows(gappy)] == [
        ["8.00", "20.0", "100 %"],
        ["4.00", "12.0", "50 %"],
        ["–", "8.00", "0 %"],
        ["8.00", "8.00", "100 %"],
    ]


def test_the_csv_holds_what_the_chart_shows(gappy: Report) -> None:
    lines = list(csv.reader(io.StringIO(table.as_csv(gappy))))

    assert lines[0] == ["start", "timestamp_ms", "solar_kWh", "running_total_kWh", "coverage"]
    assert lines[1] == ["2026-11-04T00:00:00+01:00", str(gappy.starts[0]), "8", "8", "1"]
    assert lines[2][2:] == ["", "8", "0"]
