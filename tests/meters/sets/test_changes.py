"""Which days a change of rules touches."""

from __future__ import annotations

import pytest

from apps.meters.models import MeterSet, SetMember
from apps.meters.sets.changes import ALL_DAYS, touched
from apps.readings.samples import DAY


def row(source: int, role: str = "solar", **rules: object) -> SetMember:
    return SetMember(source_id=source, role=role, **rules)


LOAD = row(2, "load")


def days(was: list[SetMember], now: list[SetMember]) -> list[tuple[int, int]]:
    return touched(MeterSet(), MeterSet(), [*was, LOAD], [*now, LOAD])


def test_nothing_changed_touches_nothing():
    assert days([row(1)], [row(1)]) == []


def test_the_first_declaration_touches_everything():
    assert touched(None, MeterSet(), [], [row(1), LOAD]) == [ALL_DAYS]


@pytest.mark.parametrize(
    ("name", "value"), [("grid_min", 15), ("coverage", 0.5), ("phases_match", True), ("topology", "all")]
)
def test_a_setting_of_the_whole_set_touches_everything(name, value):
    assert touched(MeterSet(), MeterSet(**{name: value}), [row(1), LOAD], [row(1), LOAD]) == [ALL_DAYS]


def test_a_rule_that_was_always_wrong_touches_everything():
    assert days([row(1)], [row(1, polarity=-1)]) == [ALL_DAYS]


def test_a_new_rule_touches_the_days_from_its_beginning_on():
    assert days([row(1)], [row(1), row(1, polarity=-1, since=10 * DAY + 5)]) == [(10, ALL_DAYS[1])]


def test_a_corrected_beginning_touches_the_days_between_and_the_one_after():
    was = [row(1), row(1, polarity=-1, since=10 * DAY)]
    now = [row(1), row(1, polarity=-1, since=12 * DAY)]
    assert days(was, now) == [(10, 12)]


def test_an_end_touches_what_comes_after_it():
    assert days([row(1)], [row(1, until=10 * DAY)]) == [(10, ALL_DAYS[1])]


def test_a_meter_in_anothers_place_touches_its_time():
    was = [row(1)]
    now = [row(1, until=10 * DAY), row(3, since=10 * DAY, until=20 * DAY), row(1, since=20 * DAY)]
    assert days(was, now) == [(10, 20)]


def test_an_accuracy_touches_nothing():
    assert days([row(1)], [row(1, accuracy_percent=2.0)]) == []


def test_the_order_of_rows_touches_nothing():
    assert touched(MeterSet(), MeterSet(), [row(1), LOAD], [LOAD, row(1)]) == []
