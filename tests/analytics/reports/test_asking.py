"""What is kept of an item and what its formula gives are the same to a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from apps.accounts.models import User
from apps.analytics import keeping
from apps.analytics.kept import kept_until
from apps.analytics.models import AnalyticsItem, ItemDay
from apps.analytics.reports.asking import HouseAsk
from apps.analytics.reports.courses import Course
from apps.houses.models import House
from apps.readings import sealing, working
from tests.analytics.reports.conftest import DAY, MIDNIGHT, NOON
from tests.devices.test_chart import HOUR, feed, ms
from tests.people import AsUser

LATER = NOON + timedelta(days=10)
START = MIDNIGHT - 2 * DAY


@pytest.fixture
def load(metered: House) -> AnalyticsItem:
    """The item `load`; all its days are compacted, computed and rolled up."""
    item = AnalyticsItem.objects.get(house=metered, name="load")
    settle(item)
    return item


def settle(item: AnalyticsItem) -> None:
    working.sweep(now=datetime.now(UTC) + timedelta(minutes=11), seconds=60)
    for day in ItemDay.objects.filter(source=item.source_id, due=True).values_list("day", flat=True):
        keeping.compute(item.source_id, day)
    working.sweep(now=datetime.now(UTC), seconds=60)


def by_formula(item: AnalyticsItem) -> HouseAsk:
    """Nothing that is kept counts at the beginning of time."""
    return HouseAsk(item.house, 0)


def by_both(item: AnalyticsItem) -> HouseAsk:
    return HouseAsk(item.house, ms(LATER))


def course(ask: HouseAsk, every: str, aggregate: str) -> Course:
    found = ask.course("load", every=every, start=START, end=MIDNIGHT + DAY, aggregate=aggregate)
    assert found is not None
    return found


def test_what_is_kept_is_up_to_date_but_for_the_last_days(load: AnalyticsItem) -> None:
    day = ms(LATER) // DAY

    assert kept_until(load, now=ms(LATER)) == (day - 1) * DAY


@pytest.mark.parametrize("every", ["1h", "1d", "1w", "1mo"])
@pytest.mark.parametrize("aggregate", ["integral", "mean", "max"])
def test_both_ways_give_the_same(load: AnalyticsItem, every: str, aggregate: str) -> None:
    kept, fresh = course(by_both(load), every, aggregate), course(by_formula(load), every, aggregate)

    np.testing.assert_array_equal(kept.starts, fresh.starts)
    np.testing.assert_allclose(kept.values, fresh.values, rtol=1e-9)
    np.testing.assert_allclose(kept.coverage, fresh.coverage, atol=1e-9)


def test_a_late_reading_counts_before_it_is_computed(load: AnalyticsItem) -> None:
    meter = load.house.sources.get(name="egauge").device
    feed(meter, MIDNIGHT - 4 * HOUR - DAY, MIDNIGHT - 2 * HOUR - DAY, Load=-2.0)  # the gap of the first day

    assert kept_until(load, now=ms(LATER)) <= START
    assert course(by_both(load), "1d", "integral").values.tolist() == pytest.approx([26, 24, 6])


def test_a_day_that_waits_for_its_job_is_worked_out_meanwhile(load: AnalyticsItem) -> None:
    ItemDay.objects.filter(source=load.source_id).update(due=True)

    assert kept_until(load, now=ms(LATER)) <= START


def test_an_item_that_is_not_kept_is_worked_out(load: AnalyticsItem) -> None:
    AnalyticsItem.objects.filter(pk=load.pk).update(aggregated=False)
    load.refresh_from_db()

    assert kept_until(load, now=ms(LATER)) == 0


def test_a_sum_over_any_span_has_its_whole_days_and_the_rest(load: AnalyticsItem) -> None:
    ask = by_both(load)

    assert ask.whole("load", start=START, end=MIDNIGHT + 6 * HOUR, aggregate="integral") == pytest.approx(49)
    assert ask.whole("load", start=START + HOUR, end=START + 3 * HOUR, aggregate="integral") == pytest.approx(
        2
    )
    assert ask.whole("load", start=START, end=START, aggregate="integral") is None
    assert ask.whole("wind", start=START, end=MIDNIGHT, aggregate="integral") is None


def test_an_item_whose_formula_means_nothing_any_more_counts_as_none(load: AnalyticsItem) -> None:
    AnalyticsItem.objects.filter(pk=load.pk).update(formula="gone.x")

    assert by_both(load).course("load", every="1d", start=START, end=MIDNIGHT, aggregate="mean") is None
    assert by_both(load).peak("load", start=START, end=MIDNIGHT) is None


def test_the_peak_of_a_time_without_readings_is_unknown(load: AnalyticsItem) -> None:
    assert by_both(load).peak("load", start=START - DAY, end=START - HOUR) is None


def test_days_whose_readings_are_sealed_answer_from_what_is_kept(
    load: AnalyticsItem, bob: User, as_user: AsUser
) -> None:
    meter = load.house.sources.get(name="egauge")
    assert list(sealing.seal(source=meter, day=NOON.date()))
    asked = {"item": "load", "start": START, "end": MIDNIGHT, "every": "1d", "aggregate": "integral"}

    answer = as_user(bob).get(f"/api/v1/houses/{load.house.pk}/evaluate/", asked).json()

    assert answer == {
        "unit": "kWh",
        "timestamps": [START, START + DAY],
        "values": [pytest.approx(22), pytest.approx(24)],
        "coverage": [pytest.approx(22 / 24), 1],
    }
