"""How reports write numbers and times."""

from __future__ import annotations

import pytest

from apps.analytics.reports import words

NOON = 1_795_518_000_000  # 24 November 2026, 12:00 in Brussels
ZONE = "Europe/Brussels"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.00"), (-1.5, "−1.50"), (9.994, "9.99"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_amounts_have_the_digits_people_read(value: float | None, text: str) -> None:
    assert words.amount(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(None, "–"), (0.5, "50 %"), (1.0, "100 %"), (0.99999, "99.9 %"), (0.991, "99.1 %"), (-0.02, "−2 %")],
)
def test_nearly_all_is_not_called_all(fraction: float | None, text: str) -> None:
    assert words.per_cent(fraction) == text


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        (3.0, 2.0, "+50 %"),
        (1.0, 2.0, "−50 %"),
        (2.0, 2.0, "±0 %"),
        (2.0, 0.0, ""),
        (None, 2.0, ""),
        (2.0, None, ""),
    ],
)
def test_a_change_is_told_where_it_means_something(
    value: float | None, before: float | None, text: str
) -> None:
    assert words.change(value, before) == text


@pytest.mark.parametrize(("ms", "text"), [(None, "–"), (300_000, "5 min"), (3_900_000, "1 h 05 min")])
def test_durations_are_hours_and_minutes(ms: float | None, text: str) -> None:
    assert words.duration(ms) == text


@pytest.mark.parametrize(
    ("every", "name", "tick"),
    [
        ("1h", "Tue 24 Nov, 12:00", "12:00"),
        ("1d", "Tue 24 Nov 2026", "24 Nov"),
        ("1w", "Week of 24 Nov 2026", "24 Nov"),
        ("1mo", "Nov 2026", "Nov<br>2026"),
    ],
)
def test_bins_are_called_by_what_they_are(every: str, name: str, tick: str) -> None:
    assert words.bin_name(NOON, every, ZONE) == name
    assert words.tick(NOON, every, ZONE) == tick


def test_moments_are_local() -> None:
    assert words.moment(NOON, ZONE) == "Tue 24 Nov, 12:00"
